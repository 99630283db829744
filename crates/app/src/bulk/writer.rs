use std::io;

use roster_domain::User;

use super::Format;
use crate::http::UserResponse;

/// Writes users, a line each, with all that clients see of them.
pub(crate) struct Writer(Format);

/// The columns of a CSV file. An import takes what it needs of them.
const COLUMNS: [&str; 6] = ["id", "email", "name", "created_at", "updated_at", "version"];

impl Writer {
    pub(crate) fn new(format: Format) -> Self {
        Self(format)
    }

    /// What comes before the first user.
    pub(crate) fn begin(&self) -> io::Result<Vec<u8>> {
        match self.0 {
            Format::Ndjson => Ok(Vec::new()),
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(Vec::new());
                csv.write_record(COLUMNS)?;
                whole(csv)
            }
        }
    }

    /// Users, each of them a line.
    pub(crate) fn users(&self, users: Vec<User>) -> io::Result<Vec<u8>> {
        let users = users.into_iter().map(UserResponse::from);
        match self.0 {
            Format::Ndjson => ndjson(users),
            Format::Csv => csv(users),
        }
    }
}

fn ndjson(users: impl Iterator<Item = UserResponse>) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for user in users {
        serde_json::to_writer(&mut lines, &user)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn csv(users: impl Iterator<Item = UserResponse>) -> io::Result<Vec<u8>> {
    let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for user in users {
        csv.serialize(user)?;
    }
    whole(csv)
}

fn whole(csv: csv::Writer<Vec<u8>>) -> io::Result<Vec<u8>> {
    csv.into_inner().map_err(csv::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use roster_domain::{Email, Name, NewUser, Timestamp, UserId};

    use super::*;

    fn written(format: Format) -> String {
        let email = Email::parse("ada@example.org").unwrap();
        let new = NewUser { email, name: Name::parse("Ada \"Countess\", L.").unwrap() };
        let user = User::created(UserId::new(7).unwrap(), new, Timestamp::from_micros(1).unwrap());
        let writer = Writer::new(format);
        let all = [writer.begin().unwrap(), writer.users(vec![user.clone(), user]).unwrap()].concat();
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn a_user_is_a_line_of_either_format() {
        let csv = "7,ada@example.org,\"Ada \"\"Countess\"\", L.\",1970-01-01T00:00:00.000001Z,1970-01-01T00:00:00.000001Z,1\n";
        assert_eq!(written(Format::Csv), format!("id,email,name,created_at,updated_at,version\n{csv}{csv}"));
        let json = r#"{"id":7,"email":"ada@example.org","name":"Ada \"Countess\", L.","created_at":"1970-01-01T00:00:00.000001Z","updated_at":"1970-01-01T00:00:00.000001Z","version":1}"#;
        assert_eq!(written(Format::Ndjson), format!("{json}\n{json}\n"));
    }
}
