//! Images and models in event files.

use chainrule_graph::{Graph, Kind, Node, Phase};
use chainrule_tensor::{DType, Shape, Tensor};

use super::{Events, Message, now};
use crate::Layer;
use crate::error::{Error, Result};
use crate::params::Params;
use crate::scope::{Mode, Scope};
use std::panic::Location;

/// A batch size that no axis of a model has by accident; it is told as unknown.
const BATCH: usize = 7919;

impl Events {
    /// An image in `step`: (height, width), or (channels, height, width) of one channel or three; numbers from 0 to 1, as those
    /// of data sets. What lies beyond is cut off.
    ///
    /// ```
    /// use chainrule_nn::{Events, data::digits};
    /// let folder = tempfile::tempdir()?;
    /// let mut events = Events::create(folder.path())?;
    /// events.image("digits/first", 0, &digits()?.features().slice(0, 0..1, 1)?.reshape([8, 8])?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for another shape, or an I/O error naming the path.
    pub fn image(&mut self, name: &str, step: i64, image: &Tensor) -> Result<()> {
        let shape = image.shape();
        let refused = || {
            let found = Shape::from(shape);
            Error::argument(
                "Events::image",
                format!("an image is (height, width) or (1 or 3, height, width), not {found}"),
            )
        };
        let (channels, [height, width]) = match *shape {
            [h, w] => (1, [h, w]),
            [c @ (1 | 3), h, w] => (c, [h, w]),
            _ => return Err(refused()),
        };
        let (Ok(rows), Ok(columns), true) = (u32::try_from(height), u32::try_from(width), image.size() > 0)
        else {
            return Err(refused());
        };
        let values = image.cast(DType::F64).to_vec::<f64>()?;
        let size = height * width;
        let byte = |i: usize| (255.0 * values[i % channels * size + i / channels]).round() as u8;
        let pixels: Vec<u8> = (0..channels * size).map(byte).collect();
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, columns, rows);
        encoder.set_color(if channels == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb });
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
        written.map_err(|e| Error::argument("Events::image", e.to_string()))?;
        let mut picture = Message::default();
        picture.number(1, u64::from(rows));
        picture.number(2, u64::from(columns));
        picture.number(3, channels as u64);
        picture.bytes(4, &file);
        let mut entry = Message::default();
        entry.bytes(1, name.as_bytes());
        entry.bytes(4, &picture.0);
        self.summary(step, &entry)
    }

    /// The formula of a model for inputs whose examples have the shape `example`: its scopes as boxes that open, each operation
    /// with its shape and the user's line. Nothing is computed.
    ///
    /// ```
    /// use chainrule_nn::{Events, Linear, Params};
    /// let folder = tempfile::tempdir()?;
    /// Events::create(folder.path())?.model(&Linear::new(3), &Params::new(), [4])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Any error in the model, with the user's line, or an I/O error naming the path.
    #[track_caller]
    pub fn model(&mut self, model: &impl Layer, params: &Params, example: impl Into<Shape>) -> Result<()> {
        let graph = Graph::new();
        let shape: Shape = [BATCH].into_iter().chain(example.into().iter().copied()).collect();
        let x = graph.input("x", shape, Kind::Real);
        let passed = graph.passed_at(Location::caller());
        let scope = Scope::root(&graph, params.clone(), Mode::Train, 0);
        let output = model.forward(&scope, x);
        output.checked()?;
        drop(passed);
        let mut names = vec![String::new(); graph.len()];
        names[x.id().index()] = "input".into();
        scope.traced().into_iter().for_each(|(path, var)| names[var.id().index()] = path.replace('.', "/"));
        names[output.id().index()] = "output".into();
        let nodes = graph.nodes();
        let mut definition = Message::default();
        for (i, node) in nodes.iter().enumerate().filter(|(_, node)| node.origin.phase == Phase::Forward) {
            if names[i].is_empty() {
                let place = node.origin.scope.replace('.', "/");
                let apart = if place.is_empty() { "" } else { "/" };
                names[i] = format!("{place}{apart}{}_{i}", node.op.name());
            }
            definition.bytes(1, &described(node, &names, i).0);
        }
        let mut event = Message::default();
        event.double(1, now());
        event.bytes(4, &definition.0);
        self.record(&event.0)
    }
}

/// A node as `node_def.proto` has it.
fn described(node: &Node, names: &[String], i: usize) -> Message {
    let mut shape = Message::default();
    for axis in node.ty.shape.iter() {
        let mut dim = Message::default();
        dim.number(1, if *axis == BATCH { u64::MAX } else { *axis as u64 }); // −1 is unknown
        shape.bytes(2, &dim.0);
    }
    let (mut list, mut shapes, mut line) = (Message::default(), Message::default(), Message::default());
    list.bytes(7, &shape.0);
    shapes.bytes(1, &list.0);
    line.bytes(2, node.origin.to_string().as_bytes());
    let mut described = Message::default();
    described.bytes(1, names[i].as_bytes());
    described.bytes(2, node.op.name().as_bytes());
    node.args.iter().for_each(|a| described.bytes(3, names[a.index()].as_bytes()));
    for (key, value) in [("_output_shapes", shapes), ("line", line)] {
        let mut attribute = Message::default();
        attribute.bytes(1, key.as_bytes());
        attribute.bytes(2, &value.0);
        described.bytes(5, &attribute.0);
    }
    described
}
