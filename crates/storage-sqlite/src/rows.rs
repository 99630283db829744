//! Users as they are stored: in their table, and as JSON in events and receipts.

use diesel::prelude::*;
use roster_domain::{Email, Name, NewUser, Timestamp, User, UserId, Version, Violations};
use serde::{Deserialize, Serialize};

use crate::error::{BrokenRow, Error};
use crate::schema::users;

/// Of a time that no calendar can name.
const OUT_OF_RANGE: &str = "a time is out of range";

/// A row of users, as it is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(crate) struct UserRow {
    id: i64,
    email: String,
    name: String,
    created_at: i64,
    updated_at: i64,
    version: i64,
}

impl UserRow {
    pub(crate) fn id(&self) -> i64 {
        self.id
    }
}

impl TryFrom<UserRow> for User {
    type Error = Error;

    fn try_from(row: UserRow) -> Result<Self, Error> {
        let id = row.id;
        let broken = |column, rule: String| BrokenRow { table: "users", column, id: id.to_string(), rule };
        let text = |column| move |rules: Violations| broken(column, rules.to_string());
        let email = Email::parse(&row.email).map_err(text("email"))?;
        if email.as_str() != row.email {
            return Err(broken("email", "it is not normalised".to_owned()).into());
        }
        Ok(Self {
            id: UserId::new(id).ok_or_else(|| broken("id", "it is less than 1".to_owned()))?,
            email,
            name: Name::parse(&row.name).map_err(text("name"))?,
            created_at: Timestamp::from_micros(row.created_at)
                .ok_or_else(|| broken("created_at", OUT_OF_RANGE.to_owned()))?,
            updated_at: Timestamp::from_micros(row.updated_at)
                .ok_or_else(|| broken("updated_at", OUT_OF_RANGE.to_owned()))?,
            version: Version::new(row.version)
                .ok_or_else(|| broken("version", "it is less than 1".to_owned()))?,
        })
    }
}

/// A row of users that is to be. No column is left to its default: so the statement is the same each time,
/// and stays prepared.
#[derive(Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
pub(crate) struct NewUserRow<'a> {
    email: &'a str,
    name: &'a str,
    name_key: String,
    created_at: i64,
    updated_at: i64,
    version: i64,
}

impl<'a> From<(&'a NewUser, Timestamp)> for NewUserRow<'a> {
    fn from((new, at): (&'a NewUser, Timestamp)) -> Self {
        Self {
            email: new.email.as_str(),
            name: new.name.as_str(),
            name_key: new.name.search_key(),
            created_at: at.as_micros(),
            updated_at: at.as_micros(),
            version: Version::FIRST.get(),
        }
    }
}

/// What a change sets in a row of users.
#[derive(AsChangeset)]
#[diesel(table_name = users)]
pub(crate) struct ChangedUserRow<'a> {
    email: &'a str,
    name: &'a str,
    name_key: String,
    updated_at: i64,
    version: i64,
}

impl<'a> From<&'a User> for ChangedUserRow<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            email: user.email.as_str(),
            name: user.name.as_str(),
            name_key: user.name.search_key(),
            updated_at: user.updated_at.as_micros(),
            version: user.version.get(),
        }
    }
}

/// A user as events and receipts keep it, whatever becomes of its row. Times are microseconds since the
/// Unix epoch.
#[derive(Serialize, Deserialize)]
pub(crate) struct UserSnapshot {
    id: i64,
    email: String,
    name: String,
    created_at: i64,
    updated_at: i64,
    version: i64,
}

impl UserSnapshot {
    pub(crate) fn of(user: &User) -> Result<String, Error> {
        let snapshot = Self {
            id: user.id.get(),
            email: user.email.as_str().to_owned(),
            name: user.name.as_str().to_owned(),
            created_at: user.created_at.as_micros(),
            updated_at: user.updated_at.as_micros(),
            version: user.version.get(),
        };
        serde_json::to_string(&snapshot).map_err(|error| Error::Internal(error.into()))
    }

    /// The user that `json` is of, where `table.column` of the row `id` holds it.
    pub(crate) fn read(
        json: &str,
        table: &'static str,
        column: &'static str,
        id: &impl ToString,
    ) -> Result<User, Error> {
        let broken = |rule| BrokenRow { table, column, id: id.to_string(), rule };
        let snapshot: Self = serde_json::from_str(json).map_err(|error| broken(error.to_string()))?;
        User::try_from(snapshot).map_err(|rule| broken(rule).into())
    }
}

impl TryFrom<UserSnapshot> for User {
    type Error = String;

    fn try_from(snapshot: UserSnapshot) -> Result<Self, String> {
        let time = |micros| Timestamp::from_micros(micros).ok_or(OUT_OF_RANGE);
        Ok(Self {
            id: UserId::new(snapshot.id).ok_or("the id is less than 1")?,
            email: Email::parse(&snapshot.email).map_err(|rules| rules.to_string())?,
            name: Name::parse(&snapshot.name).map_err(|rules| rules.to_string())?,
            created_at: time(snapshot.created_at)?,
            updated_at: time(snapshot.updated_at)?,
            version: Version::new(snapshot.version).ok_or("the version is less than 1")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    fn row() -> UserRow {
        UserRow {
            id: 7,
            email: "ada@example.org".to_owned(),
            name: "Ada Lovelace".to_owned(),
            created_at: time(1).as_micros(),
            updated_at: time(2).as_micros(),
            version: 3,
        }
    }

    fn broken(row: UserRow) -> String {
        User::try_from(row).unwrap_err().to_string()
    }

    #[test]
    fn a_row_is_the_user_that_was_stored() {
        let user = User::try_from(row()).unwrap();
        assert_eq!(
            (user.id.get(), user.email.as_str(), user.name.as_str()),
            (7, "ada@example.org", "Ada Lovelace")
        );
        assert_eq!((user.created_at, user.updated_at, user.version.get()), (time(1), time(2), 3));
    }

    #[test]
    fn a_row_that_breaks_a_rule_is_told_by_table_column_and_id() {
        assert_eq!(
            broken(UserRow { email: "ada".to_owned(), ..row() }),
            "users.email of row 7 breaks a rule: Invalid email format"
        );
        assert_eq!(
            broken(UserRow { email: "ADA@example.org".to_owned(), ..row() }),
            "users.email of row 7 breaks a rule: it is not normalised"
        );
        assert_eq!(
            broken(UserRow { name: "x".to_owned(), ..row() }),
            "users.name of row 7 breaks a rule: Name must be at least 2 characters"
        );
        assert_eq!(broken(UserRow { id: 0, ..row() }), "users.id of row 0 breaks a rule: it is less than 1");
        assert_eq!(
            broken(UserRow { version: 0, ..row() }),
            "users.version of row 7 breaks a rule: it is less than 1"
        );
    }

    #[test]
    fn a_snapshot_reads_back_the_same() {
        let user = User::try_from(row()).unwrap();
        assert_eq!(
            UserSnapshot::read(&UserSnapshot::of(&user).unwrap(), "events", "data", &1).unwrap(),
            user
        );
        let refused = UserSnapshot::read("{\"id\": 7}", "events", "data", &1).unwrap_err();
        assert!(refused.to_string().starts_with("events.data of row 1 breaks a rule: "), "{refused}");
    }
}
