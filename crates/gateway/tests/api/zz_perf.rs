use crate::house::House;
use axum::body::Body;
use http::Request;
#[tokio::test]
async fn perf() {
    let house = House::open().await;
    house.routing.send(false).unwrap();
    let cpu = || {
        let s = std::fs::read_to_string("/proc/self/schedstat").unwrap();
        s.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let n = 20_000u32;
    let start = cpu();
    let wall = std::time::Instant::now();
    for chunk in 0..n / 100 {
        let all = (0..100).map(|i| {
            let r = Request::post("/v1/channels/site/events").header("x-good", "yes")
                .body(Body::from(format!("{{\"id\":\"{chunk}-{i}\",\"text\":\"hello there, this is a message of a usual length\"}}"))).unwrap();
            house.send(r)
        });
        for a in futures_util::future::join_all(all).await { assert_eq!(a.status(), 202); }
    }
    let used = cpu() - start;
    println!("PERF {} per cpu-second, wall {:?}", u64::from(n) * 1_000_000_000 / used, wall.elapsed());
}
