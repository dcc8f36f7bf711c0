//! A scene as SVG: plain shapes and text, readable by every browser and drawing program.

use std::fmt::{self, Write};

use crate::scene::{Flow, Font, Panel, Scene, Stroke, Text, Trace};
use crate::sketch::{Ink, Look, Tone};

impl Scene {
    /// The drawing as an SVG file.
    pub fn svg(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = try_write(self, &mut out);
        out
    }
}

fn try_write(scene: &Scene, out: &mut String) -> fmt::Result {
    let [w, h] = scene.size.map(f64::ceil);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
         font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\">"
    )?;
    out.push_str(STYLE);
    writeln!(out, "<rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>")?;
    for text in &scene.heading {
        write_text(text, Flow::Right, out)?;
    }
    let flow = scene.flow;
    scene.legend.iter().try_for_each(|p| write_panel(p, "box", flow, out))?;
    scene.frames.iter().try_for_each(|p| write_panel(p, "frame", flow, out))?;
    scene.dashes.iter().try_for_each(|s| write_stroke(s, Flow::Right, out))?;
    scene.strokes.iter().try_for_each(|s| write_stroke(s, flow, out))?;
    scene.boxes.iter().try_for_each(|p| write_panel(p, "box", flow, out))?;
    out.push_str("</svg>\n");
    Ok(())
}

/// Wires grow heavier under the pointer, so that one can be followed.
const STYLE: &str = "<style>\n\
    .wire:hover path { stroke-width: 3.2 }\n\
    .box:hover rect { stroke-width: 2.6 }\n\
    </style>\n";

/// Fill and border of boxes of a tone, and fill of frames.
pub(crate) fn colours(tone: Tone) -> [&'static str; 3] {
    match tone {
        Tone::Grey => ["#f3f3f0", "#7c7c76", "#fafaf8"],
        Tone::Blue => ["#dbeafb", "#2f6fae", "#f3f8fd"],
        Tone::Green => ["#dcf2de", "#37894a", "#f2faf3"],
        Tone::Orange => ["#fdebd6", "#c06f12", "#fef8f0"],
        Tone::Violet => ["#eee4fa", "#7350ab", "#f8f4fd"],
    }
}

/// The colours of numbered wires, far apart on the circle of hues for neighbours in the list.
const HUES: [&str; 12] = [
    "#1f6fb4", "#c8581a", "#2e8b46", "#a23a94", "#8a6d1d", "#c23b4e", "#18848c", "#6a4fc0", "#6b7a1e",
    "#b0447a", "#3d6480", "#875a3c",
];

fn stroke_colour(look: Look) -> &'static str {
    match look {
        Look::Plain => "#56616c",
        Look::Dashed => "#a0379a",
        Look::Coloured(0) => "#56616c",
        Look::Coloured(n) => HUES[(n - 1) % HUES.len()],
    }
}

fn text_colour(font: Font) -> &'static str {
    match font {
        Font::Heading | Font::Line(Ink::Title) => "#1b1f24",
        Font::Line(Ink::Plain) | Font::Legend => "#3f4750",
        Font::Line(Ink::Blue) => "#1a56a0",
        Font::Line(Ink::Red) => "#c22a22",
        Font::Line(Ink::Purple) => stroke_colour(Look::Dashed),
        Font::Line(Ink::Small) => "#767d85",
        Font::Frame(tone) => colours(tone)[1],
        Font::Wire(look) => stroke_colour(look),
    }
}

fn write_panel(panel: &Panel, class: &str, flow: Flow, out: &mut String) -> fmt::Result {
    let [fill, border, tint] = colours(panel.tone);
    let frame = class == "frame";
    write!(out, "<g class=\"{class}\">")?;
    write_tooltip(&panel.tooltip, out)?;
    let mut rect = |dx: f64, extra: &str| {
        let (r, fill) = (panel.rect, if frame { tint } else { fill });
        let width = if panel.strong { 2.4 } else { 1.2 };
        writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{}\" fill=\"{fill}\" \
             stroke=\"{border}\" stroke-width=\"{width}\"{extra}/>",
            r.x + dx,
            r.y + dx,
            r.w,
            r.h,
            panel.round.min(r.h / 2.0)
        )
    };
    if panel.stacked {
        rect(4.0, "")?;
    }
    rect(0.0, if frame { " stroke-opacity=\"0.6\"" } else { "" })?;
    panel.texts.iter().try_for_each(|t| write_text(t, flow, out))?;
    out.push_str("</g>\n");
    Ok(())
}

fn write_stroke(stroke: &Stroke, flow: Flow, out: &mut String) -> fmt::Result {
    let colour = stroke_colour(stroke.look);
    out.push_str("<g class=\"wire\">");
    write_tooltip(&stroke.tooltip, out)?;
    let dash = if stroke.look == Look::Dashed { " stroke-dasharray=\"5 4\"" } else { "" };
    write!(out, "<path fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"{dash} d=\"")?;
    let Trace { pieces, tips } = &stroke.trace;
    for [from, a, to, b] in pieces {
        // It leaves and arrives along the flow.
        let middle = (from + to) / 2.0;
        let [x0, y0] = flow.turn([*from, *a]);
        let [x1, y1] = flow.turn([*to, *b]);
        let ([u0, v0], [u1, v1]) = (flow.turn([middle, *a]), flow.turn([middle, *b]));
        if (b - a).abs() < 0.05 {
            write!(out, "M{x0:.1} {y0:.1}L{x1:.1} {y1:.1}")?;
        } else {
            write!(out, "M{x0:.1} {y0:.1}C{u0:.1} {v0:.1} {u1:.1} {v1:.1} {x1:.1} {y1:.1}")?;
        }
    }
    out.push_str("\"/>");
    if !tips.is_empty() {
        write!(out, "<path fill=\"{colour}\" stroke=\"none\" d=\"")?;
        let head = if flow == Flow::Right { "l-8 -4v8z" } else { "l-4 -8h8z" };
        for tip in tips {
            let [x, y] = flow.turn(*tip);
            write!(out, "M{x:.1} {y:.1}{head}")?;
        }
        out.push_str("\"/>");
    }
    out.push('\n');
    if let Some(label) = &stroke.label {
        write_text(label, flow, out)?;
    }
    out.push_str("</g>\n");
    Ok(())
}

fn write_text(text: &Text, flow: Flow, out: &mut String) -> fmt::Result {
    let (size, bold) = text.font.size();
    let weight = if bold { " font-weight=\"bold\"" } else { "" };
    // Lines of boxes are centred; the base line is so far below the top that letters with tails fit.
    let middle = matches!(text.font, Font::Line(_));
    let (x, anchor) = match middle {
        true => (text.rect.x + text.rect.w / 2.0, " text-anchor=\"middle\""),
        false => (text.rect.x, ""),
    };
    let base = text.rect.y + 0.78 * text.rect.h;
    let (x, base, turned) = match (text.font, flow) {
        (Font::Frame(_), Flow::Down) => {
            let (x, y) = (text.rect.x + 0.78 * text.rect.w, text.rect.y + text.rect.h);
            (x, y, format!(" transform=\"rotate(-90 {x:.1} {y:.1})\""))
        }
        _ => (x, base, String::new()),
    };
    write!(
        out,
        "<text x=\"{x:.1}\" y=\"{base:.1}\" font-size=\"{size}\"{weight}{anchor}{turned} fill=\"{}\">",
        text_colour(text.font)
    )?;
    escape(&text.text, out);
    out.push_str("</text>\n");
    Ok(())
}

fn write_tooltip(tooltip: &str, out: &mut String) -> fmt::Result {
    if !tooltip.is_empty() {
        out.push_str("<title>");
        escape(tooltip, out);
        out.push_str("</title>");
    }
    Ok(())
}

/// Text as XML wants it; characters that XML does not allow are left out.
pub(crate) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
}
