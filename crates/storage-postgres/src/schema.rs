//! The tables as the migrations leave them.

diesel::table! {
    users (id) {
        id -> BigInt,
        email -> Text,
        name -> Text,
        name_key -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        version -> BigInt,
    }
}

diesel::table! {
    events (id) {
        id -> BigInt,
        event_id -> Uuid,
        #[sql_name = "type"]
        kind -> Text,
        subject -> Text,
        data -> Json,
        time -> Timestamptz,
        position -> Nullable<BigInt>,
        trace_context -> Nullable<Text>,
    }
}

diesel::table! {
    event_counter (id) {
        id -> SmallInt,
        last -> BigInt,
    }
}

diesel::table! {
    event_mark (id) {
        id -> SmallInt,
        published -> BigInt,
    }
}

diesel::table! {
    events_set_aside (position) {
        position -> BigInt,
        reason -> Text,
        set_aside_at -> Timestamptz,
    }
}

diesel::table! {
    receipts (scope, key) {
        scope -> Text,
        key -> Text,
        fingerprint -> Binary,
        outcome -> Nullable<Json>,
        recorded_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(events, event_counter, event_mark);
