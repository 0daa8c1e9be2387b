//! The description of the API, made from the handlers, so that it cannot say what they do not do.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, ContentBuilder, Info, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
    ResponseBuilder, Schema,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::api;
use crate::auth::SESSION_COOKIE;
use crate::problem::{FieldError, ProblemDocument};

/// Addresses that ask for no sign-in.
const OPEN: &[&str] = &[
    "/v1/channels/{channel}/events",
    "/sign-in",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/asyncapi.json",
    "/docs/errors/{code}",
];

/// The document without its routes.
pub(crate) fn frame() -> OpenApi {
    let mut info = Info::new("Postroom", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "One queue for every channel. Errors are RFC 9457 with a stable `code`; lists are \
         `{items, next_cursor}`; changes take an `Idempotency-Key` header."
            .to_owned(),
    );
    let mut components = Components::new();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let session = ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE));
    components.add_security_scheme("session", SecurityScheme::ApiKey(session));
    let schemas: [(_, RefOr<Schema>); 2] = [
        (ProblemDocument::name().into_owned(), ProblemDocument::schema()),
        (FieldError::name().into_owned(), FieldError::schema()),
    ];
    components.schemas.extend(schemas);
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// The whole description as JSON, the same at every call.
pub fn openapi() -> String {
    let (_, mut document) = api::routes().split_for_parts();
    for (path, item) in &mut document.paths.paths {
        let open = OPEN.contains(&path.as_str());
        let changes = [&mut item.put, &mut item.post].into_iter().flatten();
        for change in changes.filter(|_| !open && path != "/v1/sign-out") {
            change.parameters.get_or_insert_default().push(RefOr::T(idempotency_key()));
        }
        let operations = [&mut item.get, &mut item.put, &mut item.post];
        for operation in operations.into_iter().flatten() {
            complete(operation, open);
        }
    }
    let text = document.to_pretty_json().unwrap_or_default();
    text + "\n"
}

fn idempotency_key() -> Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The same key gives the same outcome; 1 to 255 characters"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// What every operation has in common.
fn complete(operation: &mut Operation, open: bool) {
    let problem =
        ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemDocument::name()))).build();
    let response = ResponseBuilder::new()
        .description("An error")
        .content("application/problem+json", problem)
        .build();
    operation.responses.responses.insert("default".to_owned(), RefOr::T(response));
    if !open {
        let none: [&str; 0] = [];
        operation.security = Some(vec![
            SecurityRequirement::new("bearer", none),
            SecurityRequirement::new("session", none),
        ]);
    }
}
