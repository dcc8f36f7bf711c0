//! Data: examples with their targets, how they are read, split, shuffled, batched and standardised.
//!
//! A [`Dataset`] is checked once, when it is made, so everything after it may rely on finite numbers and
//! labels that name a class. From there:
//!
//! | step | by |
//! | --- | --- |
//! | read | [`digits`], [`breast_cancer`], [`iris`], [`wine`] (embedded) · [`moons`], [`circles`], [`flower`] (generated) · [`mnist()`] and [`idx`] · [`Table`] (CSV) · [`Images`] (folders of PNG) |
//! | split | [`Dataset::split`], [`Dataset::split_stratified`], [`Folds`] |
//! | compare | [`two_samples`]: whether two sets come from one distribution |
//! | scale | [`Standardize`], fitted on the training part only |
//! | feed | [`Dataset::batches`], newly shuffled each epoch; [`Augment`] changes images, [`Batches::ahead`] is a thread of their own |
//! | stream | a [`Source`] is read as it is needed, a [`Stream`] gives its batches |

mod augment;
mod batches;
mod classes;
pub(crate) mod csv;
mod dataset;
mod embedded;
mod feed;
mod folds;
mod generated;
pub mod idx;
mod images;
mod mnist;
pub(crate) mod names;
mod narrow;
mod one_hot;
mod rows;
mod split;
mod standardize;
mod stream;
mod table;
mod two_samples;

pub use augment::{Augment, Moves};
pub use batches::{Batch, Batches, Remainder};
pub use classes::Classes;
pub use dataset::Dataset;
pub use embedded::{breast_cancer, digits, iris, wine};
pub(crate) use feed::Feed;
pub use feed::{Ahead, Augmented};
pub use folds::Folds;
pub use generated::{circles, flower, moons};
pub use images::{ImageFiles, Images};
pub use mnist::{FASHION, Mnist, mnist};
pub use names::Names;
pub use one_hot::one_hot;
pub use standardize::Standardize;
pub use stream::{Source, Stream};
pub use table::{Column, Header, Table};
pub use two_samples::{Drift, TwoSamples, two_samples};
