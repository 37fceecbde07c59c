//! The flow with the client of OpenAPI Generator's `rust`, whose errors hold what was answered.

use std::collections::BTreeSet;

use openapi::apis::configuration::Configuration;
use openapi::apis::devices_api::{end_device, list_devices};
use openapi::apis::sessions_api::{
    LoginError, MeError, RefreshError, login, logout_all, me, refresh, register,
};
use openapi::apis::{Error, ResponseContent};
use openapi::models;

const PASSWORD: &str = "correct horse battery";

fn bearing(access: Option<&str>) -> Configuration {
    Configuration {
        base_path: std::env::var("RESCIND_URL").unwrap(),
        bearer_access_token: access.map(str::to_owned),
        ..Configuration::default()
    }
}

/// The typed problem of each operation: which of its variants holds it says nothing, since all are of one type.
trait Refusal {
    fn code(self) -> String;
}

macro_rules! refusals {
    ($($error:ident: $($variant:ident),+;)*) => {
        $(impl Refusal for $error {
            fn code(self) -> String {
                match self {
                    $(Self::$variant(problem))|+ => problem.code,
                    Self::UnknownValue(value) => panic!("no problem: {value}"),
                }
            }
        })*
    };
}

refusals! {
    LoginError: Status400, Status401, Status413, Status415, Status429, Status503, DefaultResponse;
    MeError: Status400, Status401, Status503, DefaultResponse;
    RefreshError: Status400, Status401, Status413, Status415, Status503, DefaultResponse;
}

fn code<T, E: Refusal>(answer: Result<T, Error<E>>) -> String {
    match answer {
        Err(Error::ResponseError(ResponseContent { status, entity: Some(refusal), .. })) => {
            assert_eq!(status.as_u16(), 401);
            refusal.code()
        }
        Err(Error::ResponseError(ResponseContent { content, .. })) => panic!("no problem: {content}"),
        _ => panic!("not refused"),
    }
}

async fn flow() {
    let anonymous = bearing(None);
    let device = models::DeviceInput { name: Some("Ada's phone".into()), kind: Some("mobile".into()) };
    let mut credentials = models::Credentials::new("ada".into(), PASSWORD.into());
    credentials.device = Some(Box::new(device));
    let phone = register(&anonymous, credentials).await.unwrap();
    let desktop = login(&anonymous, models::Login::new("ada".into(), PASSWORD.into())).await.unwrap();
    assert_eq!(code(me(&anonymous).await), "token_missing");
    let wrong = models::Login::new("ada".into(), "wrong horse battery".into());
    assert_eq!(code(login(&anonymous, wrong).await), "wrong_credentials");

    let found = me(&bearing(Some(&phone.access))).await.unwrap();
    assert_eq!((found.user.username.as_str(), found.device.name.as_str()), ("ada", "Ada's phone"));
    let phone = refresh(&anonymous, models::Refresh::new(phone.refresh)).await.unwrap();
    let mine = bearing(Some(&phone.access));
    let listed = list_devices(&mine, None, None).await.unwrap().results;
    let listed: BTreeSet<_> = listed.iter().map(|device| &device.id).collect();
    assert_eq!(listed, BTreeSet::from([&phone.device.id, &desktop.device.id]));

    end_device(&mine, &desktop.device.id).await.unwrap();
    assert_eq!(code(me(&bearing(Some(&desktop.access))).await), "signed_out");
    assert_eq!(code(refresh(&anonymous, models::Refresh::new(desktop.refresh)).await), "signed_out");
    let everywhere = logout_all(&mine, None).await.unwrap();
    assert_eq!((everywhere.signed_out, everywhere.generation), (1, 2));
    assert_eq!(code(me(&mine).await), "signed_out_everywhere");
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(flow());
    println!("done");
}
