//! The tables as the migrations leave them. Times are microseconds since the Unix epoch.

diesel::table! {
    users (id) {
        id -> BigInt,
        email -> Text,
        name -> Text,
        name_key -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    events (id) {
        id -> BigInt,
        event_id -> Binary,
        #[sql_name = "type"]
        kind -> Text,
        subject -> Text,
        data -> Text,
        time -> BigInt,
        position -> BigInt,
        trace_context -> Nullable<Text>,
    }
}

diesel::table! {
    event_counter (id) {
        id -> BigInt,
        last -> BigInt,
    }
}

diesel::table! {
    event_mark (id) {
        id -> BigInt,
        published -> BigInt,
    }
}

diesel::table! {
    events_set_aside (position) {
        position -> BigInt,
        reason -> Text,
        set_aside_at -> BigInt,
    }
}

diesel::table! {
    receipts (scope, key) {
        scope -> Text,
        key -> Text,
        fingerprint -> Binary,
        outcome -> Nullable<Text>,
        recorded_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(events, event_counter, event_mark);
