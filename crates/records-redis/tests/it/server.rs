//! Asks a Redis server directly.

pub(crate) use postroom_testkit::RedisServer as Server;

pub(crate) trait Ask {
    fn ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> T;
}

impl Ask for Server {
    fn ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_connection().unwrap();
        let (name, arguments) = command.split_first().unwrap();
        redis::cmd(name).arg(arguments).query(&mut connection).unwrap()
    }
}
