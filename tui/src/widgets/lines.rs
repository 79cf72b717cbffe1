//! Lines of text with several styles.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{Input, Scroll};
use gradtop_chart::cells::text::{fit, width_of, wrap};
use gradtop_chart::cells::theme::Theme;

/// Draws lines, each in one row. A line that is too long is cut as a whole and marked.
pub(crate) fn lines(
    lines: impl IntoIterator<Item = Line<'static>>,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let area = area.intersection(frame.area());
    for (line, y) in lines.into_iter().zip(area.y..area.bottom()) {
        draw(&cut(line, area.width.into(), theme.ascii()), frame.buffer_mut(), Rect { y, height: 1, ..area });
    }
}

/// Returns the lines of a scrolled page; if there are more below, the last row says how many.
pub(crate) fn page(
    lines: Vec<Line<'static>>,
    scroll: Scroll,
    height: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let top = scroll.top(lines.len(), height);
    // The row of the sign hides a line, too.
    let below = lines.len().saturating_sub(top + height) + 1;
    let told = below > 1 && height > 2;
    let mut page: Vec<Line<'static>> = lines.into_iter().skip(top).take(height - usize::from(told)).collect();
    if told {
        let margin = if page[0].to_string().starts_with(' ') { " " } else { "" };
        page.push(Line::styled(format!("{margin}{below} more lines: PgDn"), theme.dim()));
    }
    page
}

/// Draws a line. Each part begins where the one before ends in cells: as a text, Arabic is narrower than its letters.
fn draw(line: &Line<'_>, buffer: &mut Buffer, area: Rect) {
    buffer.set_style(area, line.style);
    let mut x = area.x;
    for span in &line.spans {
        let room = usize::from(area.right() - x);
        (x, _) = buffer.set_stringn(x, area.y, &span.content, room, line.style.patch(span.style));
    }
}

/// Wraps a text in one style, with a blank before each line.
pub(crate) fn paragraph(text: &str, room: usize, style: Style) -> impl Iterator<Item = Line<'static>> {
    wrap(text, room).into_iter().map(move |line| Line::styled(format!(" {line}"), style))
}

/// A label and a text input, with a remark beside it, or below if there is no room.
pub(crate) fn typed(
    label: Span<'static>,
    input: &Input,
    (words, style): (&str, Style),
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let mut spans = vec![label];
    spans.extend(input.spans(width.saturating_sub(width_of(&spans[0].content)), theme));
    let line = Line::from(spans);
    said(line, (words, style), width)
}

/// A line with a remark beside it, or below if there is no room.
pub(crate) fn said(
    mut line: Line<'static>,
    (words, style): (&str, Style),
    width: usize,
) -> Vec<Line<'static>> {
    if width_of(&line.to_string()) + 3 + width_of(words) <= width {
        line.push_span(Span::styled(format!("   {words}"), style));
        return vec![line];
    }
    std::iter::once(line).chain(paragraph(words, width.saturating_sub(1), style)).collect()
}

fn cut(mut line: Line<'static>, width: usize, ascii: bool) -> Line<'static> {
    let whole = line.to_string();
    if width_of(&whole) <= width {
        return line;
    }
    let text = fit(&whole, width, ascii);
    // Only the ellipsis is restyled.
    let kept = text.char_indices().next_back().map_or(0, |(at, _)| at);
    let mut from = 0;
    let mut spans = Vec::new();
    for span in line.spans {
        let to = from + span.content.len();
        if to > kept {
            spans.push(Span::styled(text[from..].to_owned(), span.style));
            break;
        }
        spans.push(span);
        from = to;
    }
    line.spans = spans;
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;

    #[test]
    fn parts_of_a_line_do_not_overwrite_each_other() {
        for text in ["rtl-الملاحظات-لا.png", "דיוק-מבחן.png", "größe-日本.png"] {
            let input = Input::new(text);
            let spans = input.spans(40, Theme::default()).into_iter().chain([Span::raw("|")]);
            let mut buffer = Buffer::empty(Rect::new(0, 0, 40, 1));
            let area = buffer.area;
            draw(&spans.collect::<Line<'_>>(), &mut buffer, area);
            assert_eq!(gradtop_chart::cells::text::plain(&buffer).trim_end(), format!("{text} |"));
        }
    }

    #[test]
    fn a_page_says_how_many_lines_are_below_and_scrolling_shows_each() {
        let all: Vec<Line<'static>> = (0..23).map(|i| Line::raw(format!("line {i}"))).collect();
        let mut scroll = Scroll::default();
        let shown = |scroll: Scroll| {
            let page = page(all.clone(), scroll, 10, Theme::default());
            page.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(shown(scroll)[8..], ["line 8", "14 more lines: PgDn"]);
        scroll.go(super::super::Move::Page(1), all.len(), 10, false);
        assert_eq!(shown(scroll)[0], "line 9");
        scroll.go(super::super::Move::Last, all.len(), 10, false);
        assert_eq!(shown(scroll)[9], "line 22");
        assert_eq!(page(all[..10].to_vec(), scroll, 10, Theme::default()), all[..10]);
    }

    #[test]
    fn a_line_is_cut_as_one_text_and_keeps_its_styles() {
        let (dim, bold) = (Style::new().dim(), Style::new().bold());
        let line = Line::from(vec![Span::styled("loss ", dim), Span::styled("0.125  ", bold)]);
        let spans = |width| {
            cut(line.clone(), width, false).spans.into_iter().map(|s| (s.content.into_owned(), s.style))
        };
        let all = |width| spans(width).collect::<Vec<_>>();
        assert_eq!(all(12), [("loss ".to_owned(), dim), ("0.125  ".to_owned(), bold)]);
        assert_eq!(all(10), [("loss ".to_owned(), dim), ("0.125".to_owned(), bold)]);
        assert_eq!(all(9), [("loss ".to_owned(), dim), ("…".to_owned(), bold)]);
        assert_eq!(all(5), [("loss…".to_owned(), dim)]);
        assert_eq!(all(0), [(String::new(), dim)]);
    }
}
