//! Fields of a post: a form, or a flat JSON object that stands for one.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use postroom_channel::json::{self, Mistakes, Pointer};
use postroom_channel::{PushRequest, Refusal, limits};
use serde_json::Value;
use smol_str::SmolStr;
use url::form_urlencoded;

use crate::desk;
use crate::limits::FIELDS_MAX;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    Form,
    Json,
}

/// Name and value of each field, in the order of the body. A list is a name that stands several
/// times.
#[derive(Debug, Default)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
    writing: Option<Writing>,
}

impl Form {
    /// A body in one of the ways that the dialect knows.
    pub(crate) fn read(request: &PushRequest<'_>, known: &[Writing]) -> Result<Self, Refusal> {
        limits::check_body(request.body)?;
        let writing = writing(request.headers, request.body, known)?;
        let mut form = Self { fields: Vec::new(), writing: Some(writing) };
        match writing {
            Writing::Form => {
                for (name, value) in form_urlencoded::parse(request.body) {
                    form.add(name.into_owned(), value.into_owned())?;
                }
            }
            Writing::Json => form.add_members(&json::parse(request.body)?)?,
        }
        Ok(form)
    }

    fn add_members(&mut self, body: &Value) -> Result<(), Refusal> {
        let Value::Object(members) = body else {
            let mut mistakes = Mistakes::default();
            mistakes.add("body_wrong_type", Pointer::root(), "must be an object");
            return mistakes.into_result();
        };
        for (name, value) in members {
            match value {
                Value::Array(items) => {
                    for text in items.iter().filter_map(scalar) {
                        self.add(name.clone(), text)?;
                    }
                }
                value => {
                    if let Some(text) = scalar(value) {
                        self.add(name.clone(), text)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, name: String, value: String) -> Result<(), Refusal> {
        if self.fields.len() >= FIELDS_MAX {
            let detail = format!("more than {FIELDS_MAX} fields");
            return Err(Refusal::new(422, "body_too_many_values", detail));
        }
        self.fields.push((name, value));
        Ok(())
    }

    /// The first value of a field, without space around it; none if it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(known, _)| known == name);
        found.find_map(|(_, value)| Some(value.trim()).filter(|value| !value.is_empty()))
    }

    /// The first of several names that has a value.
    pub(crate) fn any(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// All values of a field and of its list form, `user` and `user[]`.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let is_it = move |known: &str| {
            known.strip_prefix(name).is_some_and(|rest| matches!(rest, "" | "[]"))
        };
        self.fields
            .iter()
            .filter(move |(known, _)| is_it(known))
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The id of the call, in the first of these fields that is there.
    pub(crate) fn call_id(&self, names: &[&'static str]) -> Result<SmolStr, Refusal> {
        match self.any(names) {
            Some(text) => desk::id(text)?.ok_or_else(|| self.missing(names)),
            None => Err(self.missing(names)),
        }
    }

    /// A field must be there and is not.
    pub(crate) fn missing(&self, names: &[&'static str]) -> Refusal {
        let name = names.first().copied().unwrap_or_default();
        self.wrong("body_field_missing", name, "must be given")
    }

    /// A field says something that it cannot.
    pub(crate) fn invalid(&self, name: &str, detail: &str) -> Refusal {
        self.wrong("body_field_invalid", name, detail)
    }

    fn wrong(&self, code: &'static str, name: &str, detail: &str) -> Refusal {
        let refusal = Refusal::new(422, code, format!("{name}: {detail}"));
        match self.writing {
            Some(Writing::Json) => refusal.at(Pointer::root().member(name).as_str(), detail),
            Some(Writing::Form) | None => refusal,
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What the header Content-Type says or, where it says nothing, what the body looks like.
pub(crate) fn writing(
    headers: &HeaderMap,
    body: &[u8],
    known: &[Writing],
) -> Result<Writing, Refusal> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let looks_like_json = matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
    let found = match essence.as_str() {
        "application/x-www-form-urlencoded" => Some(Writing::Form),
        "application/json" | "text/json" => Some(Writing::Json),
        "" | "text/plain" | "application/octet-stream" if looks_like_json => Some(Writing::Json),
        "" | "text/plain" | "application/octet-stream" => Some(Writing::Form),
        other if other.ends_with("+json") => Some(Writing::Json),
        _ => None,
    };
    found.filter(|writing| known.contains(writing)).ok_or_else(|| {
        let names: Vec<&str> = known
            .iter()
            .map(|writing| match writing {
                Writing::Form => "application/x-www-form-urlencoded",
                Writing::Json => "application/json",
            })
            .collect();
        let detail = format!("the header Content-Type must say {}", names.join(" or "));
        Refusal::new(415, "media_type_not_supported", detail)
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};
    use postroom_channel::PushRequest;

    use super::{Form, Writing};

    fn read(media_type: &str, body: &str) -> Result<Form, &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_str(media_type).unwrap());
        let request = PushRequest {
            method: &Method::POST,
            uri: "/",
            headers: &headers,
            body: body.as_bytes(),
        };
        Form::read(&request, &[Writing::Form, Writing::Json]).map_err(|refusal| refusal.code)
    }

    #[test]
    fn form_and_object_give_the_same_fields() {
        for (media_type, body) in [
            ("application/x-www-form-urlencoded", "user%5B%5D=Ada&user[]=Lin+Yu&n=7&on=true&e="),
            (
                "application/json; charset=utf-8",
                r#"{"user":["Ada","Lin Yu"],"n":7,"on":true,"e":""}"#,
            ),
            ("text/plain", r#" {"user":["Ada","Lin Yu"],"n":7,"on":true,"o":{"a":1}}"#),
        ] {
            let form = read(media_type, body).unwrap();
            assert_eq!(form.all("user").collect::<Vec<_>>(), ["Ada", "Lin Yu"], "{body}");
            assert_eq!((form.get("n"), form.get("on")), (Some("7"), Some("true")));
            assert_eq!(form.any(&["e", "n"]), Some("7"));
        }
    }

    #[test]
    fn body_that_is_neither_is_refused() {
        let many = "a=1&".repeat(1_001);
        for (media_type, body, code) in [
            ("text/xml", "<a/>", "media_type_not_supported"),
            ("application/json", "[]", "body_wrong_type"),
            ("application/json", "{", "body_not_json"),
            ("application/x-www-form-urlencoded", many.as_str(), "body_too_many_values"),
        ] {
            assert_eq!(read(media_type, body).unwrap_err(), code, "{media_type}");
        }
        let missing = read("application/json", "{}").unwrap().call_id(&["callId"]).unwrap_err();
        assert_eq!(
            (missing.code, missing.pointers[0].0.as_str()),
            ("body_field_missing", "/callId")
        );
    }
}
