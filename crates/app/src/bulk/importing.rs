use std::io;

use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use roster_domain::services::{Import, Outcome};
use tokio::task::yield_now;

use super::reader::{Line, Next, Reader};
use crate::http::ApiError;

/// What becomes of lines that were imported together.
pub(crate) type Outcomes = Vec<Outcome<ApiError>>;

/// Imports the lines that `input` brings, and tells what becomes of them, in their order. The next part is
/// taken when outcomes were, so that whoever sends lines faster than they can be stored, or than their
/// outcomes are read, has to wait; and lines that are there are not held up by those that are still to come.
///
/// Where the input fails there is no more to be told, and what came last of it is not imported.
pub(crate) fn outcomes(
    import: Import,
    reader: Reader,
    input: impl Stream<Item = io::Result<Bytes>> + Unpin,
) -> impl Stream<Item = io::Result<Outcomes>> {
    stream::try_unfold((import, reader, input), |(mut import, mut reader, mut input)| async {
        let batch = batch(&mut reader, &mut input).await?;
        if batch.is_empty() {
            return Ok(None);
        }
        let outcomes = import.take(batch).await;
        Ok(Some((outcomes, (import, reader, input))))
    })
}

/// Waits for a line, and takes those that follow it at once. There is none at the end alone.
async fn batch(
    reader: &mut Reader,
    input: &mut (impl Stream<Item = io::Result<Bytes>> + Unpin),
) -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    while lines.len() < Import::BATCH {
        match reader.next() {
            Next::Line(line) => {
                lines.push(line);
                continue;
            }
            Next::Later => {
                yield_now().await;
                continue;
            }
            Next::Nothing => {}
        }
        if reader.is_complete() {
            break;
        }
        let part = if lines.is_empty() {
            input.next().await
        } else {
            let Some(part) = input.next().now_or_never() else { break };
            part
        };
        match part.transpose()? {
            Some(part) => reader.push(part),
            None => reader.complete(),
        }
    }
    Ok(lines)
}
