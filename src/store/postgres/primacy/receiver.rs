//! The servers that receive from a primary, as the primary knows them.

use crate::store::postgres::failure::QueryFailure;
use crate::store::postgres::pool::Pool;
use crate::store::postgres::row::Rows;
use crate::store::postgres::sql::{RECEIVERS, STORE_AND_SETTINGS};
use crate::store::postgres::sql_query::SqlQuery;
use crate::store::postgres::store_and_settings::StoreAndSettings;

/// A primary, and who receives from it.
pub(super) struct Sender {
    /// The host and port by which it can be reached; `None` over a socket of its machine.
    pub(super) endpoint: Option<String>,
    pub(super) receivers: Vec<Receiver>,
}

/// A server that receives from a primary.
pub(super) struct Receiver {
    /// The name that it gives the primary, in lower case.
    name: String,
    address: String,
}

impl Sender {
    /// Reads who receives from a database; `None` if another database answers.
    pub(super) async fn of(pool: &Pool, database: &StoreAndSettings) -> Result<Option<Self>, QueryFailure> {
        let connection = pool.connection().await?;
        let (whose, receivers) = (SqlQuery::new(STORE_AND_SETTINGS), SqlQuery::new(RECEIVERS));
        let rows = connection.run(&[&whose, &receivers]).await?;
        connection.done();
        Self::read(&rows, database)
    }

    fn read(rows: &Rows, database: &StoreAndSettings) -> Result<Option<Self>, QueryFailure> {
        let (mut answered, mut endpoint, mut receivers) = (None, None, Vec::new());
        for row in rows {
            let (first, second) = (row.try_get(2)?, row.try_get(3));
            match row.try_get(0)? {
                Some("store") => answered = Some(StoreAndSettings::parse(first)?),
                Some("endpoint") => endpoint = first.map(str::to_owned),
                Some("receiver") => {
                    if let (Some(name), Some(address)) = (first, second?) {
                        receivers
                            .push(Receiver { name: name.to_ascii_lowercase(), address: address.to_owned() });
                    }
                }
                _ => {}
            }
        }
        Ok((answered.as_ref() == Some(database)).then_some(Self { endpoint, receivers }))
    }
}

/// Which of the servers at the addresses `reached`, each of which says that it receives from the same primary, these names mean. The
/// primary has to know exactly one receiver of the name, and none but this one at its address. `None` if a name means none,
/// or can mean more than one.
pub(super) fn one_of_each(names: &[String], receivers: &[Receiver], reached: &[&str]) -> Option<Vec<usize>> {
    let one = |wanted: &String| {
        let address = &only(receivers.iter().filter(|receiver| receiver.name == *wanted))?.address;
        only(receivers.iter().filter(|receiver| receiver.address == *address))?;
        only(reached.iter().enumerate().filter(|(_, reached)| *reached == address)).map(|(at, _)| at)
    };
    names.iter().map(one).collect()
}

/// The item, if there is exactly one.
fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    items.next().filter(|_| items.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_the_one_server_that_receives_from_its_address() {
        let known = |receivers: &[(&str, &str)]| -> Vec<_> {
            let receiver = |&(name, address): &(&str, &str)| Receiver {
                name: name.to_owned(),
                address: address.to_owned(),
            };
            receivers.iter().map(receiver).collect()
        };
        let names = ["one".to_owned(), "two".to_owned()];
        let three = [("one", "10.0.0.1"), ("two", "10.0.0.2"), ("three", "10.0.0.3")];
        let found =
            |receivers: &[(&str, &str)], reached: &[&str]| one_of_each(&names, &known(receivers), reached);
        assert_eq!(found(&three, &["10.0.0.2", "10.0.0.4", "10.0.0.1"]), Some(vec![2, 0]));
        for reached in [&["10.0.0.2"][..], &["10.0.0.2", "10.0.0.9"], &["10.0.0.2", "10.0.0.1", "10.0.0.1"]] {
            assert_eq!(found(&three, reached), None, "{reached:?}");
        }
        for more in [("one", "10.0.0.9"), ("four", "10.0.0.1")] {
            let receivers = [&three[..], &[more]].concat();
            assert_eq!(found(&receivers, &["10.0.0.1", "10.0.0.2"]), None, "{more:?}");
        }
        assert_eq!(found(&[], &["10.0.0.1", "10.0.0.2"]), None);
    }
}
