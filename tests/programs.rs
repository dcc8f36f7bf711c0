//! The course's programs hold their claims, with fewer seeds and epochs than when they are run by themselves.

#![allow(missing_docs, dead_code, unreachable_pub)]
// Each program brings what the programs share, as it does when it is run by itself.
#![allow(clippy::duplicate_mod)]

/// The index of the programs is that of the files.
mod index;

#[path = "../examples/c1w0_what_one_example_wants.rs"]
mod c1w0_what_one_example_wants;
#[path = "../examples/c1w1_scale_drives_progress.rs"]
mod c1w1_scale_drives_progress;
#[path = "../examples/c1w2_09_logistic_regression.rs"]
mod c1w2_09_logistic_regression;
#[path = "../examples/c1w2_15_broadcasting.rs"]
mod c1w2_15_broadcasting;
#[path = "../examples/c1w2_18_likelihood.rs"]
mod c1w2_18_likelihood;
#[path = "../examples/c1w3_06_activations.rs"]
mod c1w3_06_activations;
#[path = "../examples/c1w3_09_gradient_descent.rs"]
mod c1w3_09_gradient_descent;
#[path = "../examples/c1w3_11_random_initialisation.rs"]
mod c1w3_11_random_initialisation;
#[path = "../examples/c1w3_12_planar_classification.rs"]
mod c1w3_12_planar_classification;
#[path = "../examples/c1w4_01_deep_networks.rs"]
mod c1w4_01_deep_networks;
#[path = "../examples/c1w4_04_why_deep.rs"]
mod c1w4_04_why_deep;
#[path = "../examples/c1w4_07_hyperparameters.rs"]
mod c1w4_07_hyperparameters;
#[path = "../examples/c2w1_02_bias_and_variance.rs"]
mod c2w1_02_bias_and_variance;
#[path = "../examples/c2w1_04_regularisation.rs"]
mod c2w1_04_regularisation;
#[path = "../examples/c2w1_08_other_regularisation.rs"]
mod c2w1_08_other_regularisation;
#[path = "../examples/c2w1_09_normalising_inputs.rs"]
mod c2w1_09_normalising_inputs;
#[path = "../examples/c2w1_10_vanishing_and_exploding.rs"]
mod c2w1_10_vanishing_and_exploding;
#[path = "../examples/c2w1_11_initialisation.rs"]
mod c2w1_11_initialisation;
#[path = "../examples/c2w1_13_gradient_checking.rs"]
mod c2w1_13_gradient_checking;
#[path = "../examples/c2w2_01_mini_batches.rs"]
mod c2w2_01_mini_batches;
#[path = "../examples/c2w2_03_weighted_averages.rs"]
mod c2w2_03_weighted_averages;
#[path = "../examples/c2w2_06_momentum_and_rmsprop.rs"]
mod c2w2_06_momentum_and_rmsprop;
#[path = "../examples/c2w2_08_optimisers.rs"]
mod c2w2_08_optimisers;
#[path = "../examples/c2w2_09_rate_decay.rs"]
mod c2w2_09_rate_decay;
#[path = "../examples/c2w2_10_saddles_and_plateaus.rs"]
mod c2w2_10_saddles_and_plateaus;
#[path = "../examples/c2w3_01_random_search.rs"]
mod c2w3_01_random_search;
#[path = "../examples/c2w3_04_batch_norm.rs"]
mod c2w3_04_batch_norm;
#[path = "../examples/c2w3_08_softmax.rs"]
mod c2w3_08_softmax;
#[path = "../examples/c3w1_01_orthogonalisation.rs"]
mod c3w1_01_orthogonalisation;
#[path = "../examples/c3w1_03_one_number.rs"]
mod c3w1_03_one_number;
#[path = "../examples/c3w1_05_dev_and_test_sets.rs"]
mod c3w1_05_dev_and_test_sets;
#[path = "../examples/c3w1_07_changing_the_metric.rs"]
mod c3w1_07_changing_the_metric;
#[path = "../examples/c3w1_08_avoidable_bias.rs"]
mod c3w1_08_avoidable_bias;
#[path = "../examples/c3w2_01_error_analysis.rs"]
mod c3w2_01_error_analysis;
#[path = "../examples/c3w2_02_mislabelled.rs"]
mod c3w2_02_mislabelled;
#[path = "../examples/c3w2_05_mismatched_sets.rs"]
mod c3w2_05_mismatched_sets;
#[path = "../examples/c3w2_07_transfer.rs"]
mod c3w2_07_transfer;
#[path = "../examples/c3w2_08_multi_task.rs"]
mod c3w2_08_multi_task;
#[path = "../examples/c3w2_09_end_to_end.rs"]
mod c3w2_09_end_to_end;
#[path = "../examples/c4w1_edge_detection.rs"]
mod c4w1_edge_detection;
#[path = "../examples/c4w1_sizes.rs"]
mod c4w1_sizes;
#[path = "../examples/c4w2_augmentation.rs"]
mod c4w2_augmentation;
#[path = "../examples/c4w2_cheaper_convolutions.rs"]
mod c4w2_cheaper_convolutions;
#[path = "../examples/c4w2_inception.rs"]
mod c4w2_inception;
#[path = "../examples/c4w2_lenet.rs"]
mod c4w2_lenet;
#[path = "../examples/c4w2_residual.rs"]
mod c4w2_residual;
#[path = "../examples/c4w2_transfer.rs"]
mod c4w2_transfer;
#[path = "../examples/c4w3_localisation.rs"]
mod c4w3_localisation;
#[path = "../examples/c4w3_segmentation.rs"]
mod c4w3_segmentation;
#[path = "../examples/c4w3_sliding_windows.rs"]
mod c4w3_sliding_windows;
#[path = "../examples/c4w3_yolo.rs"]
mod c4w3_yolo;
#[path = "../examples/c4w4_one_and_three_dimensions.rs"]
mod c4w4_one_and_three_dimensions;
#[path = "../examples/c4w4_style_transfer.rs"]
mod c4w4_style_transfer;
#[path = "../examples/c4w4_verification.rs"]
mod c4w4_verification;
#[path = "../examples/c4w4_what_a_net_sees.rs"]
mod c4w4_what_a_net_sees;
#[path = "../examples/c5w1_01_back_propagation_through_time.rs"]
mod c5w1_01_back_propagation_through_time;
#[path = "../examples/c5w1_02_vanishing_gradients.rs"]
mod c5w1_02_vanishing_gradients;
#[path = "../examples/c5w1_03_names.rs"]
mod c5w1_03_names;
#[path = "../examples/c5w1_04_music.rs"]
mod c5w1_04_music;
#[path = "../examples/c5w2_01_word_vectors.rs"]
mod c5w2_01_word_vectors;
#[path = "../examples/c5w2_02_sentences.rs"]
mod c5w2_02_sentences;
#[path = "../examples/c5w3_03_beam_search.rs"]
mod c5w3_03_beam_search;
#[path = "../examples/c5w3_07_dates.rs"]
mod c5w3_07_dates;
#[path = "../examples/c5w3_09_speech.rs"]
mod c5w3_09_speech;
#[path = "../examples/c5w3_10_trigger_word.rs"]
mod c5w3_10_trigger_word;
#[path = "../examples/c5w4_01_self_attention.rs"]
mod c5w4_01_self_attention;
#[path = "../examples/c5w4_04_addition.rs"]
mod c5w4_04_addition;
#[path = "../examples/c5w4_05_tagging.rs"]
mod c5w4_05_tagging;
#[path = "../examples/c5w4_06_small_gpt.rs"]
mod c5w4_06_small_gpt;
#[path = "../examples/sixteen_bits.rs"]
mod sixteen_bits;

macro_rules! claims {
    ($($name:ident($seeds:expr, $epochs:expr);)*) => {$(
        #[test]
        fn $name() {
            $name::run($seeds, $epochs).expect("the claim of the lecture");
        }
    )*};
}

claims! {
    c1w0_what_one_example_wants(1, 2);
    c1w1_scale_drives_progress(2, 300);
    c1w2_09_logistic_regression(1, 30);
    c1w2_15_broadcasting(3, 0);
    c1w2_18_likelihood(3, 400);
    c1w3_06_activations(1, 600);
    c1w3_09_gradient_descent(1, 3000);
    c1w3_11_random_initialisation(1, 1500);
    c1w3_12_planar_classification(2, 2000);
    c1w4_01_deep_networks(2, 4);
    c1w4_04_why_deep(8, 0);
    c1w4_07_hyperparameters(1, 200);
    c2w1_02_bias_and_variance(2, 500);
    c2w1_04_regularisation(3, 2000);
    c2w1_08_other_regularisation(3, 100);
    c2w1_09_normalising_inputs(1, 100);
    c2w1_10_vanishing_and_exploding(2, 30);
    c2w1_11_initialisation(2, 8000);
    c2w1_13_gradient_checking(2, 0);
    c2w2_01_mini_batches(1, 8);
    c2w2_03_weighted_averages(20, 0);
    c2w2_06_momentum_and_rmsprop(1, 400);
    c2w2_08_optimisers(2, 800);
    c2w2_09_rate_decay(1, 20);
    c2w2_10_saddles_and_plateaus(2, 500);
    c2w3_01_random_search(2, 5);
    c2w3_04_batch_norm(1, 15);
    c2w3_08_softmax(2, 20);
    c3w1_01_orthogonalisation(8, 900);
    c3w1_03_one_number(3, 30);
    c3w1_05_dev_and_test_sets(2, 10);
    c3w1_07_changing_the_metric(4, 30);
    c3w1_08_avoidable_bias(1, 10);
    c3w2_01_error_analysis(2, 15);
    c3w2_02_mislabelled(1, 15);
    c3w2_05_mismatched_sets(2, 12);
    c3w2_07_transfer(2, 15);
    c3w2_08_multi_task(2, 25);
    c3w2_09_end_to_end(1, 200);
    c4w1_edge_detection(1, 80);
    c4w1_sizes(0, 0);
    c4w2_augmentation(1, 12);
    c4w2_cheaper_convolutions(2, 6);
    c4w2_inception(1, 8);
    c4w2_lenet(2, 20);
    c4w2_residual(1, 8);
    c4w2_transfer(3, 8);
    c4w3_localisation(1, 14);
    c4w3_segmentation(1, 10);
    c4w3_sliding_windows(1, 8);
    c4w3_yolo(1, 12);
    c4w4_one_and_three_dimensions(1, 20);
    c4w4_style_transfer(1, 100);
    c4w4_verification(1, 12);
    c4w4_what_a_net_sees(1, 8);
    c5w1_01_back_propagation_through_time(3, 0);
    c5w1_02_vanishing_gradients(3, 0);
    c5w1_03_names(1, 6);
    c5w1_04_music(1, 400);
    c5w2_01_word_vectors(1, 300);
    c5w2_02_sentences(1, 200);
    c5w3_03_beam_search(1, 400);
    c5w3_07_dates(1, 800);
    c5w3_09_speech(1, 400);
    c5w3_10_trigger_word(1, 300);
    c5w4_01_self_attention(3, 0);
    c5w4_04_addition(1, 700);
    c5w4_05_tagging(1, 400);
    c5w4_06_small_gpt(1, 400);
    sixteen_bits(2, 20);
}
