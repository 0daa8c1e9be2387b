//! A stream that is gauged and that may not fall silent: the library which reads from it has neither
//! limits nor timeouts.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::gauge::{Excess, Gauge};

#[derive(Debug)]
pub(crate) struct Meter<S> {
    inner: S,
    gauge: Gauge,
    /// How long nothing may come while something is awaited.
    silence: Duration,
    waiting: Pin<Box<Sleep>>,
    /// Whether `waiting` says when the silence has lasted too long.
    armed: bool,
}

impl<S> Meter<S> {
    pub(crate) fn new(inner: S, response_bytes_max: u64, silence: Duration) -> Self {
        let gauge = Gauge::new(response_bytes_max);
        Self { inner, gauge, silence, waiting: Box::pin(tokio::time::sleep(silence)), armed: false }
    }

    /// From the next wait on.
    pub(crate) fn set_silence(&mut self, silence: Duration) {
        self.silence = silence;
        self.armed = false;
    }
}

/// What went wrong if a stream of this kind stopped the reading, and nothing else did.
pub(crate) fn excess(error: &io::Error) -> Option<Excess> {
    error.get_ref()?.downcast_ref::<Excess>().copied()
}

impl<S: AsyncRead + Unpin> AsyncRead for Meter<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buf) {
            Poll::Pending => {
                if !this.armed {
                    this.armed = true;
                    this.waiting.as_mut().reset(Instant::now() + this.silence);
                }
                this.waiting.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                this.armed = false;
                let come = buf.filled().get(before..).unwrap_or_default();
                let taken = this.gauge.take(come);
                Poll::Ready(taken.map_err(|excess| {
                    // A read that fails has read nothing.
                    buf.set_filled(before);
                    io::Error::new(io::ErrorKind::InvalidData, excess)
                }))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Meter<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{Meter, excess};
    use crate::gauge::Excess;

    const SILENCE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn silence_is_counted_from_the_last_byte_and_ends_the_reading() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut meter = Meter::new(near, 100, SILENCE);
        let begun = tokio::time::Instant::now();
        let speaks = async {
            for _ in 0..3 {
                tokio::time::advance(SILENCE / 2).await;
                far.write_all(b"* OK\r\n").await.unwrap();
            }
            std::future::pending::<()>().await;
        };
        let reads = async {
            let mut heard = Vec::new();
            let ended = meter.read_to_end(&mut heard).await.unwrap_err();
            assert_eq!((ended.kind(), heard.len()), (std::io::ErrorKind::TimedOut, 18));
        };
        tokio::select! {
            () = speaks => {}
            () = reads => {}
        }
        assert!(begun.elapsed() >= SILENCE * 5 / 2);
    }

    #[tokio::test]
    async fn what_is_over_a_limit_ends_the_reading_with_its_name() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut meter = Meter::new(near, 100, SILENCE);
        far.write_all(b"* 1 FETCH (BODY[] {101}\r\n").await.unwrap();
        let error = meter.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(excess(&error), Some(Excess::Literal(101)));
    }
}
