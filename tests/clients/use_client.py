"""Uses the client that was generated as `roster_client`, on the service at the URL, and with the token, that are given."""

import asyncio
import sys
from http import HTTPStatus
from io import BytesIO

from roster_client import AuthenticatedClient, Client
from roster_client.api.directory import create_user_from_directory, get_person
from roster_client.api.events import list_events
from roster_client.api.service import get_liveness, get_open_api, get_readiness
from roster_client.api.users import (
    create_user,
    delete_user,
    export_users,
    get_user,
    import_users,
    list_users,
    replace_user,
    update_user,
)
from roster_client.models import (
    FromDirectory,
    HealthStatus,
    ImportUsersReport,
    ListUsersOrder,
    Person,
    PersonSaved,
    PersonSavedData,
    Problem,
    ProblemError,
    User,
    UserCreate,
    UserCreated,
    UserDeleted,
    UserPage,
    UserPatch,
    UserUpdated,
)
from roster_client.types import File

_, url, token = sys.argv
client = AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)


def is_problem(answer, status, error):
    assert isinstance(answer.parsed, Problem), answer
    assert (answer.status_code, answer.parsed.status, answer.parsed.error) == (status, status, error), answer
    assert answer.parsed.request_id == answer.headers["X-Request-Id"]
    return answer.parsed


def creates_and_reads():
    body = UserCreate(email=" ADA@example.org ", name="Ada Lovelace")
    first = create_user.sync_detailed(client=client, body=body, idempotency_key="first")
    ada = first.parsed
    assert first.status_code == HTTPStatus.CREATED and isinstance(ada, User), first
    assert (ada.email, ada.name, ada.version) == ("ada@example.org", "Ada Lovelace", 1), ada
    assert ada.created_at == ada.updated_at and ada.created_at.tzinfo is not None
    assert first.headers["Location"] == f"/api/v1/users/{ada.id}"
    again = create_user.sync_detailed(client=client, body=body, idempotency_key="first")
    assert again.parsed == ada and again.headers["Idempotency-Replayed"] == "true"
    taken = is_problem(create_user.sync_detailed(client=client, body=body), 400, ProblemError.BUSINESS_RULE)
    assert taken.message == "Email already exists"
    other = UserCreate(email="other@example.org", name="Other")
    reused = create_user.sync_detailed(client=client, body=other, idempotency_key="first")
    is_problem(reused, 422, ProblemError.IDEMPOTENCY_KEY_REUSED)
    broken = create_user.sync_detailed(client=client, body=UserCreate(email="ada", name="A"))
    fields = [error.field for error in is_problem(broken, 422, ProblemError.VALIDATION).errors]
    assert fields == ["email", "name"], fields

    read = get_user.sync_detailed(ada.id, client=client)
    assert read.parsed == ada and read.headers["ETag"] == '"1"'
    kept = get_user.sync_detailed(ada.id, client=client, if_none_match=read.headers["ETag"])
    assert kept.status_code == HTTPStatus.NOT_MODIFIED and not kept.parsed
    is_problem(get_user.sync_detailed(1000, client=client), 404, ProblemError.NOT_FOUND)
    return ada


def changes(ada):
    patch = UserPatch(name="Ada King")
    king = update_user.sync_detailed(ada.id, client=client, body=patch, if_match='"1"')
    assert (king.parsed.name, king.parsed.version, king.headers["ETag"]) == ("Ada King", 2, '"2"'), king
    late = update_user.sync_detailed(ada.id, client=client, body=patch, if_match='"1"')
    is_problem(late, 412, ProblemError.PRECONDITION_FAILED)
    back = replace_user.sync(ada.id, client=client, body=UserCreate(email=ada.email, name=ada.name))
    assert (back.name, back.version) == (ada.name, 3)


def deletes():
    gone = create_user.sync(client=client, body=UserCreate(email="gone@example.org", name="Gone"))
    late = delete_user.sync_detailed(gone.id, client=client, if_match='"7"')
    is_problem(late, 412, ProblemError.PRECONDITION_FAILED)
    answer = delete_user.sync_detailed(gone.id, client=client, if_match='"1"')
    assert answer.status_code == HTTPStatus.NO_CONTENT and not answer.parsed
    is_problem(delete_user.sync_detailed(gone.id, client=client), 404, ProblemError.NOT_FOUND)
    return gone


def looks_people_up():
    leanne = get_person.sync(1, client=client)
    assert isinstance(leanne, Person) and leanne.username == "Bret"
    made = create_user_from_directory.sync(client=client, body=FromDirectory(directory_id=1))
    assert isinstance(made, User) and made.email == leanne.email


def imports_and_exports():
    lines = "email,name\nimported@example.org,Imported\nada@example.org,Ada Again\n"

    def load(**options):
        told = import_users.sync(client=client, body=File(payload=BytesIO(lines.encode())), **options)
        return told.payload.read().decode().splitlines()

    failed = '{"line":2,"error":"business_rule","message":"Email already exists"}'
    dry = load(dry_run=True, report=ImportUsersReport.ERRORS)
    assert dry == [failed, '{"lines":2,"created":0,"failed":1}'], dry
    done = load()
    assert len(done) == 2 and done[0].startswith('{"line":1,"id":') and done[1] == failed, done
    exported = export_users.sync(client=client).payload.read().decode().splitlines()
    assert len(exported) == 3 and '"imported@example.org"' in exported[2], exported


def tells_of_people():
    # The generator makes a function of it that cannot tell a list from an event, so that only its models are used.
    grace = PersonSavedData(email="grace@example.org", name="Grace Hopper")
    event = PersonSaved(specversion="1.0", id="1", source="/hr", type_="directory.person.saved", data=grace)
    media_type = {"Content-Type": "application/cloudevents+json"}
    answer = client.get_httpx_client().post("/api/v1/events", json=event.to_dict(), headers=media_type)
    assert answer.status_code == HTTPStatus.ACCEPTED, answer.text


def lists():
    found, after = [], None
    while after is not None or not found:
        more = {"after": after} if after else {}
        page = list_users.sync(client=client, limit=2, order=ListUsersOrder.DESC, count="exact", **more)
        assert isinstance(page, UserPage) and page.total == 4 and len(page.items) <= 2, page
        found += [user.email for user in page.items]
        after = page.next_
    expected = ["grace@example.org", "imported@example.org", "leanne@example.org", "ada@example.org"]
    assert found == expected, found
    assert [user.name for user in list_users.sync(client=client, name="ada").items] == ["Ada Lovelace"]
    is_problem(list_users.sync_detailed(client=client, after="x"), 400, ProblemError.MALFORMED_REQUEST)
    is_problem(list_users.sync_detailed(client=client, limit=101), 422, ProblemError.VALIDATION)


async def follows(ada, gone):
    answer = await list_events.asyncio_detailed(client=client, after=0, limit=1000)
    events = answer.parsed
    assert [event.position for event in events] == list(range(1, len(events) + 1)), events
    assert answer.headers["Roster-Position"] == str(len(events))
    of_ada = [event for event in events if event.data.id == ada.id]
    assert [type(event) for event in of_ada] == [UserCreated, UserUpdated, UserUpdated], of_ada
    assert of_ada[0].data == ada and of_ada[0].source == "/roster"
    of_gone = [event for event in events if event.data.id == gone.id]
    assert [type(event) for event in of_gone] == [UserCreated, UserDeleted], of_gone


is_problem(list_users.sync_detailed(client=Client(base_url=url)), 401, ProblemError.UNAUTHENTICATED)
assert get_liveness.sync(client=client).status == HealthStatus.ALIVE
assert get_readiness.sync(client=client).status == HealthStatus.READY
assert get_open_api.sync(client=client)["openapi"] == "3.1.0"
ada = creates_and_reads()
changes(ada)
gone = deletes()
looks_people_up()
imports_and_exports()
tells_of_people()
lists()
asyncio.run(follows(ada, gone))
print("The client did all that it was asked to.")
