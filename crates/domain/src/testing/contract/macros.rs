//! The macro lines: they make a test of each behaviour of a list, from the same names as the list itself.

/// Makes a test of each promise of a [`UserRepository`](crate::ports::UserRepository) and the
/// [`EventLog`](crate::ports::EventLog) on the same store; see [`testing::contract`](crate::testing::contract).
///
/// ```
/// use roster_domain::testing::InMemory;
///
/// // fn a_created_user_reads_back_the_same, fn an_absent_user_is_none, …
/// roster_domain::repository_contract!(InMemory::default);
/// ```
#[macro_export]
macro_rules! repository_contract {
    ($adapter:expr $(, $($attributes:tt)*)?) => {
        $crate::__users_behaviours! { [$crate::__contract_tests] users ($adapter) [$($($attributes)*)?] }
        $crate::__events_behaviours! { [$crate::__contract_tests] events ($adapter) [$($($attributes)*)?] }
    };
}

/// Makes a test of each promise of an [`Outbox`](crate::ports::Outbox); see
/// [`testing::contract`](crate::testing::contract).
///
/// ```
/// use roster_domain::testing::InMemory;
///
/// roster_domain::outbox_contract!(InMemory::default);
/// ```
#[macro_export]
macro_rules! outbox_contract {
    ($adapter:expr $(, $($attributes:tt)*)?) => {
        $crate::__outbox_behaviours! { [$crate::__contract_tests] outbox ($adapter) [$($($attributes)*)?] }
    };
}

/// Makes a test of each promise of an [`EventPublisher`](crate::ports::EventPublisher); see
/// [`testing::contract`](crate::testing::contract).
///
/// ```
/// use roster_domain::testing::InMemoryBroker;
///
/// roster_domain::publisher_contract!(InMemoryBroker::default);
/// ```
#[macro_export]
macro_rules! publisher_contract {
    ($adapter:expr $(, $($attributes:tt)*)?) => {
        $crate::__publisher_behaviours! {
            [$crate::__contract_tests] publisher ($adapter) [$($($attributes)*)?]
        }
    };
}

/// Makes a test of each promise of a [`Directory`](crate::ports::Directory); see
/// [`testing::contract`](crate::testing::contract).
///
/// ```
/// use roster_domain::testing::InMemoryDirectory;
///
/// roster_domain::directory_contract!(InMemoryDirectory::default);
/// ```
#[macro_export]
macro_rules! directory_contract {
    ($adapter:expr $(, $($attributes:tt)*)?) => {
        $crate::__directory_behaviours! {
            [$crate::__contract_tests] directory ($adapter) [$($($attributes)*)?]
        }
    };
}

/// A test of each name.
#[doc(hidden)]
#[macro_export]
macro_rules! __contract_tests {
    ([$($name:ident,)+] $list:ident $adapter:tt $attributes:tt) => {
        $($crate::__contract_test! { $name $list $adapter $attributes })+
    };
}

/// A test of one behaviour, on what the adapter's function makes.
#[doc(hidden)]
#[macro_export]
macro_rules! __contract_test {
    ($name:ident $list:ident $adapter:tt []) => {
        #[test]
        fn $name() {
            $crate::testing::contract::support::block_on($crate::__contract_test!(@check $name $list $adapter));
        }
    };
    ($name:ident $list:ident $adapter:tt [$($attribute:tt)+]) => {
        $($attribute)+
        async fn $name() {
            $crate::__contract_test!(@check $name $list $adapter).await;
        }
    };
    (@check $name:ident $list:ident ($adapter:expr)) => {
        async {
            #[allow(unused_imports, reason = "an adapter that is there at once needs it, and one that is awaited does not")]
            use $crate::testing::contract::support::AtOnce as _;
            let adapter = $crate::testing::contract::support::Made($adapter()).ready().await;
            $crate::testing::contract::support::$list(&adapter, stringify!($name)).await;
        }
    };
}

/// What the tests that macros make are made of.
#[doc(hidden)]
pub mod support {
    use std::future::{Future, Ready, ready};

    pub use futures_executor::block_on;

    use crate::testing::contract::{
        Behaviour, DIRECTORY, EVENTS, OUTBOX, PUBLISHER, StagedBroker, StagedDirectory, Store,
        StoreWithOutbox, USERS,
    };

    /// What an adapter's function returned: the adapter, or a future of it. A method of the type is preferred
    /// to one of a trait, so that a future is awaited, and anything else taken as it is.
    pub struct Made<T>(pub T);

    impl<F: Future> Made<F> {
        pub fn ready(self) -> F {
            self.0
        }
    }

    pub trait AtOnce {
        type Adapter;
        fn ready(self) -> Ready<Self::Adapter>;
    }

    impl<T> AtOnce for Made<T> {
        type Adapter = T;

        fn ready(self) -> Ready<T> {
            ready(self.0)
        }
    }

    pub async fn users(store: &impl Store, name: &str) {
        named(USERS, name)(store.users()).await;
    }

    pub async fn events(store: &impl Store, name: &str) {
        named(EVENTS, name)(store.users(), store.events()).await;
    }

    pub async fn outbox(store: &impl StoreWithOutbox, name: &str) {
        named(OUTBOX, name)(store.users(), store.events(), store.outbox()).await;
    }

    pub async fn publisher(broker: &impl StagedBroker, name: &str) {
        named(PUBLISHER, name)(broker).await;
    }

    pub async fn directory(directory: &impl StagedDirectory, name: &str) {
        named(DIRECTORY, name)(directory).await;
    }

    fn named<Check: Copy>(list: &[Behaviour<Check>], name: &str) -> Check {
        list.iter()
            .find(|behaviour| behaviour.name == name)
            .expect("tests and lists have the same names")
            .check
    }
}
