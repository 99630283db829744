//! What the tests stand on: servers found or started, a database for each test, the built program as a
//! process, and a client that holds every answer to the contract.

mod answer;
mod binary;
mod conduct;
mod database;
mod feed;
mod folder;
mod gateway;
mod http;
mod own_nats;
mod own_postgres;
mod process;
mod python;
mod raw;
mod roster;
mod run;
mod scale;
mod servers;
mod stand_in;
mod stream;
mod suite;
mod tally;
mod upload;
mod user;
mod venv;

pub(crate) use answer::Answer;
pub(crate) use conduct::catch_panics;
pub(crate) use database::{Backend, Database, OnPostgres, OnSqlite, Ports};
pub(crate) use feed::{EVENTS, Event, assert_in_order};
pub(crate) use gateway::Gateway;
pub(crate) use http::{Http, USERS, new_user, user_path};
pub(crate) use own_nats::{OnPostgresWithNats, OwnNats, WithNats};
pub(crate) use own_postgres::OwnPostgres;
pub(crate) use process::{Exit, Output};
pub(crate) use python::Python;
pub(crate) use raw::Raw;
pub(crate) use roster::{Program, Roster};
pub(crate) use run::Run;
pub(crate) use scale::times;
pub(crate) use stand_in::{Reply, StandIn};
pub(crate) use stream::{Said, Stream};
pub(crate) use suite::{Given, Suite, suite, trial};
pub(crate) use tally::{Happened, Tally, all_users, name_in};
pub(crate) use upload::{Download, Next, Upload};
pub(crate) use user::{Page, User};
