//! The course's programs hold their claims, with fewer seeds and epochs than when they are run by themselves.

#![allow(missing_docs, dead_code, unreachable_pub)]

#[path = "../examples/c1w3_planar_classification.rs"]
mod c1w3_planar_classification;
#[path = "../examples/c2w1_initialisation.rs"]
mod c2w1_initialisation;
#[path = "../examples/c2w2_optimisers.rs"]
mod c2w2_optimisers;
#[path = "../examples/c2w3_batch_norm.rs"]
mod c2w3_batch_norm;
#[path = "../examples/c4w1_edge_detection.rs"]
mod c4w1_edge_detection;
#[path = "../examples/c4w1_sizes.rs"]
mod c4w1_sizes;
#[path = "../examples/c4w2_lenet.rs"]
mod c4w2_lenet;
#[path = "../examples/c4w4_style_transfer.rs"]
mod c4w4_style_transfer;
#[path = "../examples/c5w1_01_back_propagation_through_time.rs"]
mod c5w1_01_back_propagation_through_time;
#[path = "../examples/c5w1_02_vanishing_gradients.rs"]
mod c5w1_02_vanishing_gradients;
#[path = "../examples/c5w1_03_names.rs"]
mod c5w1_03_names;

macro_rules! claims {
    ($($name:ident($seeds:expr, $epochs:expr);)*) => {$(
        #[test]
        fn $name() {
            $name::run($seeds, $epochs).expect("the claim of the lecture");
        }
    )*};
}

claims! {
    c1w3_planar_classification(2, 2000);
    c2w1_initialisation(2, 8000);
    c2w2_optimisers(2, 800);
    c2w3_batch_norm(1, 15);
    c4w1_edge_detection(1, 80);
    c4w1_sizes(0, 0);
    c4w2_lenet(2, 20);
    c4w4_style_transfer(1, 100);
    c5w1_01_back_propagation_through_time(3, 0);
    c5w1_02_vanishing_gradients(3, 0);
    c5w1_03_names(1, 6);
}
