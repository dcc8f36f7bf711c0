//! TensorBoard's event files.

mod seen;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use chainrule_tensor::{DType, Tensor};

use crate::error::{Error, Result};

/// Writes what TensorBoard shows: scalars, histograms and images, by name and step, and the graph of a model.
///
/// A file is a series of records, each a message in the form of Protocol Buffers with its length and CRC-32C checksums
/// (TensorFlow's `event.proto` and `summary.proto`). What has been [flushed](Events::flush) is read while it grows.
///
/// ```
/// use chainrule_nn::{Events, Linear, Params, Trainer, data::iris, loss};
/// let folder = tempfile::tempdir()?;
/// let mut events = Events::create(folder.path())?;
/// let iris = iris()?;
/// let trainer = Trainer::new(Linear::new(3), loss::softmax_cross_entropy).epochs(2);
/// let mut run = trainer.start(Params::new(), &iris, None)?;
/// while let Some(Ok(epoch)) = run.next() {
///     epoch.measured.iter().try_for_each(|(name, value)| events.scalar(name, epoch.number as i64, *value))?;
///     run.params().iter().try_for_each(|(path, value)| events.histogram(path, epoch.number as i64, value))?;
/// }
/// events.flush()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Events {
    file: BufWriter<File>,
    path: PathBuf,
}

/// Into how many parts of one width a histogram is divided.
const BUCKETS: usize = 30;

impl Events {
    /// A new file in `folder`, which is made if it is not there; a folder is a run.
    ///
    /// # Errors
    /// An I/O error naming the path.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, &e))?;
        let now = now();
        // Several files in one second are told apart.
        let mut number = 0;
        loop {
            let path = folder.join(format!("events.out.tfevents.{:010}.chainrule.{number}", now as u64));
            match File::create_new(&path) {
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(Error::io(&path, &e)),
                Ok(file) => {
                    let mut events = Events { file: BufWriter::new(file), path };
                    let mut version = Message::default();
                    version.double(1, now);
                    version.bytes(3, b"brain.Event:2");
                    events.record(&version.0)?;
                    return Ok(events);
                }
            }
        }
    }

    /// That `name` was `value` in `step`; a name may have parts, as `loss/train`.
    ///
    /// # Errors
    /// An I/O error naming the path.
    pub fn scalar(&mut self, name: &str, step: i64, value: f64) -> Result<()> {
        let mut entry = Message::default();
        entry.bytes(1, name.as_bytes());
        entry.float(2, value as f32);
        self.summary(step, &entry)
    }

    /// How the elements of `values` were distributed in `step`, in parts of one width; NaN and infinities are left out.
    ///
    /// # Errors
    /// An I/O error naming the path.
    pub fn histogram(&mut self, name: &str, step: i64, values: &Tensor) -> Result<()> {
        let values = values.cast(DType::F64).to_vec::<f64>()?;
        let finite: Vec<f64> = values.into_iter().filter(|x| x.is_finite()).collect();
        let least = finite.iter().copied().fold(f64::INFINITY, f64::min);
        let most = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (least, most) = if finite.is_empty() { (0.0, 0.0) } else { (least, most) };
        let width = (most / BUCKETS as f64 - least / BUCKETS as f64).max(f64::MIN_POSITIVE);
        let mut counts = [0.0_f64; BUCKETS];
        for x in &finite {
            counts[(((x - least) / width) as usize).min(BUCKETS - 1)] += 1.0;
        }
        let limits: Vec<f64> = (1..=BUCKETS).map(|i| least + width * i as f64).collect();
        let mut histogram = Message::default();
        histogram.double(1, least);
        histogram.double(2, most);
        histogram.double(3, finite.len() as f64);
        histogram.double(4, finite.iter().sum());
        histogram.double(5, finite.iter().map(|x| x * x).sum());
        histogram.doubles(6, &limits);
        histogram.doubles(7, &counts);
        let mut entry = Message::default();
        entry.bytes(1, name.as_bytes());
        entry.bytes(5, &histogram.0);
        self.summary(step, &entry)
    }

    /// Hands everything to the operating system.
    ///
    /// # Errors
    /// An I/O error naming the path.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(|e| Error::io(&self.path, &e))
    }

    fn summary(&mut self, step: i64, entry: &Message) -> Result<()> {
        let (mut summary, mut event) = (Message::default(), Message::default());
        summary.bytes(1, &entry.0);
        event.double(1, now());
        event.number(2, step as u64);
        event.bytes(5, &summary.0);
        self.record(&event.0)
    }

    fn record(&mut self, message: &[u8]) -> Result<()> {
        let length = (message.len() as u64).to_le_bytes();
        let parts: [&[u8]; 4] = [&length, &masked(&length), message, &masked(message)];
        parts.iter().try_for_each(|part| self.file.write_all(part)).map_err(|e| Error::io(&self.path, &e))
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// The checksum as records have it: a checksum of data that hold checksums would be weak, so it is turned and shifted.
fn masked(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// A message of Protocol Buffers.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn tag(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.tag(field, 0);
        self.varint(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.tag(field, 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn float(&mut self, field: u64, value: f32) {
        self.tag(field, 5);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.tag(field, 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    fn doubles(&mut self, field: u64, values: &[f64]) {
        let packed: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.bytes(field, &packed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_lengths_and_checksums() {
        // CRC-32C of "123456789" (RFC 3720).
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        let folder = tempfile::tempdir().unwrap();
        let mut events = Events::create(folder.path()).unwrap();
        let _second = Events::create(folder.path()).unwrap();
        events.scalar("loss/train", 300, 0.5).unwrap();
        events.histogram("w", 1, &Tensor::from([f32::NAN, 1.0, 2.0, 2.0])).unwrap();
        events.histogram("none", 1, &Tensor::zeros([0], DType::F32)).unwrap();
        events.histogram("wide", 1, &Tensor::from([f64::MIN, f64::MAX])).unwrap();
        events.flush().unwrap();
        let bytes = fs::read(&events.path).unwrap();
        let (mut at, mut records) = (0, Vec::new());
        while at < bytes.len() {
            let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
            assert_eq!(bytes[at + 8..at + 12], masked(&bytes[at..at + 8]));
            let message = &bytes[at + 12..at + 12 + length];
            assert_eq!(bytes[at + 12 + length..at + 16 + length], masked(message));
            records.push(message.to_vec());
            at += 16 + length;
        }
        assert_eq!(records.len(), 5);
        assert!(records[0].ends_with(b"brain.Event:2"));
        // step = 300; summary { value { tag: "loss/train" simple_value: 0.5 } }
        let mut tail = vec![0x10, 0xac, 0x02, 0x2a, 19, 0x0a, 17, 0x0a, 10];
        tail.extend_from_slice(b"loss/train\x15\x00\x00\x00\x3f");
        assert!(records[1].ends_with(&tail), "{:?}", records[1]);
        assert!(Events::create(&events.path).is_err(), "a file is no folder");
    }
}
