//! Local check only.
#[test]
fn corpus() {
    for e in std::fs::read_dir("/work/shared/corpora/chat/signatures").unwrap() {
        let p = e.unwrap().path();
        let n = p.file_name().unwrap().to_str().unwrap().to_owned();
        if !n.starts_with("standardwebhooks") || n.ends_with("expected.json") {
            continue;
        }
        let v: serde_json::Value = serde_json::from_slice(&std::fs::read(&p).unwrap()).unwrap();
        let mut h = http::HeaderMap::new();
        for (k, x) in v["headers"].as_object().unwrap() {
            h.append(
                http::HeaderName::try_from(k.as_str()).unwrap(),
                x.as_str().unwrap().parse().unwrap(),
            );
        }
        let s = postroom_channel::signature::Secret::parse(v["secret"].as_str().unwrap()).unwrap();
        let r = postroom_channel::signature::verify(
            &[s],
            &h,
            v["body"].as_str().unwrap().as_bytes(),
            postroom_model::Timestamp::from_seconds(v["now_unix"].as_i64().unwrap()),
        );
        println!("{n} {r:?}");
        assert_eq!(r.is_ok(), v["valid"].as_bool().unwrap(), "{n}");
    }
}
