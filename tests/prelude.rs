use chainrule::prelude::*;

#[test]
fn traits_hide_no_method() {
    let t = Tensor::from([[1.0, 2.0], [3.0, 6.0]]);
    assert_eq!(t.var(0).expect("a variance"), Tensor::from([1.0, 4.0]));
    let g = Graph::new();
    let x = g.leaf("x", t);
    assert_eq!(x.var(0).value().expect("a variance"), Tensor::from([1.0, 4.0]));
    assert_eq!((x.kind(), x.shape().size(), x.rank()), (Kind::Real, 4, 2));
}
