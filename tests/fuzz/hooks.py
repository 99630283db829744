"""What schemathesis has to be told in Python."""

import schemathesis
from schemathesis import GenerationMode

# What no schema can say: why data of the right form may be refused, by operation and status.
EMAIL_TAKEN = {400: "business_rule"}
KEY_REUSED = {422: "idempotency_key_reused"}
REASONS = {
    "createUser": EMAIL_TAKEN | KEY_REUSED,
    "createUserFromDirectory": EMAIL_TAKEN,
    "replaceUser": EMAIL_TAKEN,
    "updateUser": EMAIL_TAKEN,
}

ENTITY_TAGS = ("If-Match", "If-None-Match")


@schemathesis.serializer("application/x-ndjson", "text/csv")
def lines(_context, value):
    """Lines are sent as they were made up, whatever they are."""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Gives entity tags their quotes back, which the coverage phase takes from a header that is a JSON string."""
    if is_positive(case):
        for name in ENTITY_TAGS:
            tag = case.headers.get(name)
            if tag is not None and tag.isdecimal():
                case.headers[name] = f'"{tag}"'


@schemathesis.check
def refused_for_its_reason(_context, response, case):
    """Where data of the right form may be refused, it is for nothing but what is in `REASONS`."""
    reasons = REASONS.get(case.operation.definition.raw.get("operationId"))
    if reasons is not None and is_positive(case) and response.status_code in (400, 422):
        reason = response.json()["error"]
        assert reason == reasons.get(response.status_code), f"data of the right form are refused: {reason}"


def is_positive(case):
    """Whether what is sent was made to fit the description."""
    return case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
