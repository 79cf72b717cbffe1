//! Shares the room of a line among columns: each says what its widths are worth, and the total is the greatest possible.

/// What a whole point of worth is in a [`Claim`].
pub const POINT: i64 = 1000;

/// The widths that a column can have, ascending, with what each is worth. Without any of them, a column is left out.
#[derive(Clone, Debug, Default)]
pub struct Claim(Vec<(usize, i64)>);

impl Claim {
    /// A column of one width.
    #[must_use]
    pub fn fixed(width: usize, worth: i64) -> Self {
        Self(vec![(width, worth)])
    }

    /// A column of texts with these widths, worth `worth` if none is cut. Each that is cut costs its part of `cut`: half of it
    /// for being cut, and the other half as far as it is missing. The column is at least `least` wide.
    #[must_use]
    pub fn of_texts(worth: i64, cut: i64, least: usize, widths: &[usize]) -> Self {
        let most = widths.iter().copied().max().unwrap_or(0);
        let lost = |width: usize| -> i64 {
            let cuts = widths.iter().filter(|text| **text > width);
            cuts.map(|text| cut * (text + text - width) as i64 / (2 * text) as i64).sum()
        };
        let texts = widths.len().max(1) as i64;
        Self((least..=most.max(least)).map(|width| (width, worth - lost(width) / texts)).collect())
    }

    /// The same column of texts with these widths, of which each column below `width` that is missing costs `each` more.
    #[must_use]
    pub fn dear_below(mut self, width: usize, each: i64, widths: &[usize]) -> Self {
        let missing =
            |own: usize| widths.iter().map(|text| (*text).min(width).saturating_sub(own)).sum::<usize>();
        let texts = widths.len().max(1) as i64;
        self.0.iter_mut().for_each(|(own, worth)| *worth -= each * missing(*own) as i64 / texts);
        self
    }

    /// The same column, worth `more` for each further column up to `most`.
    #[must_use]
    pub fn grown(mut self, most: usize, more: i64) -> Self {
        let (from, worth) = self.0.last().copied().unwrap_or_default();
        self.0.extend((from + 1..=most).map(|width| (width, worth + more * (width - from) as i64)));
        self
    }

    /// The same column, of less use by this factor.
    #[must_use]
    pub fn worth_less(mut self, factor: i64) -> Self {
        self.0.iter_mut().for_each(|(_, worth)| *worth /= factor);
        self
    }

    /// Returns what a width is worth; one that is too narrow is worth nothing.
    pub fn worth(&self, width: usize) -> i64 {
        self.0.iter().take_while(|(own, _)| *own <= width).map(|(_, worth)| *worth).last().unwrap_or(0)
    }

    /// Returns the smallest width.
    pub fn least(&self) -> usize {
        self.0.first().map_or(0, |(width, _)| *width)
    }

    /// Returns the largest width.
    pub fn most(&self) -> usize {
        self.0.last().map_or(0, |(width, _)| *width)
    }
}

/// Returns the width of each column in a line of `room`, with `gap` between two; `None` for one that is left out. No other
/// choice of widths is worth more.
pub fn share(claims: &[Claim], room: usize, gap: usize) -> Vec<Option<usize>> {
    let room = room + gap;
    // The greatest worth of the columns so far in each amount of room, and the width that the last of them has there.
    let mut best = vec![0; room + 1];
    let mut widths: Vec<Vec<Option<usize>>> = Vec::with_capacity(claims.len());
    for claim in claims {
        let before = best.clone();
        let mut chosen = vec![None; room + 1];
        for (width, worth) in &claim.0 {
            for within in width + gap..=room {
                let total = before[within - width - gap] + worth;
                if total > best[within] {
                    (best[within], chosen[within]) = (total, Some(*width));
                }
            }
        }
        widths.push(chosen);
    }
    let mut left = room;
    let mut shares: Vec<Option<usize>> = Vec::with_capacity(claims.len());
    for chosen in widths.iter().rev() {
        let width = chosen[left];
        left -= width.map_or(0, |width| width + gap);
        shares.push(width);
    }
    shares.reverse();
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [usize; 3] = [15, 14, 14];
    const SERIES: [usize; 3] = [20, 18, 20];

    fn shares(room: usize, others: &[Claim]) -> Vec<Option<usize>> {
        let texts = |widths| Claim::of_texts(1000 * POINT, 56 * POINT, 8, widths);
        share(&[&[texts(&NAMES), texts(&SERIES)], others].concat(), room, 2)
    }

    #[test]
    fn of_two_columns_none_is_cut_where_none_need_be_and_else_no_more_texts_than_in_one_of_them() {
        assert_eq!(shares(37, &[]), [Some(15), Some(20)]);
        let cut = |name: usize, series: usize| {
            NAMES.iter().filter(|text| **text > name).count()
                + SERIES.iter().filter(|text| **text > series).count()
        };
        for room in 25..37 {
            let (name, series) = (shares(room, &[])[0].unwrap_or(0), shares(room, &[])[1].unwrap_or(0));
            assert_eq!(name + series + 2, room);
            let one = cut(15, room - 17).min(cut(room.saturating_sub(22), 20));
            assert!(cut(name, series) <= one, "{room}: {name} {series}");
        }
        // Neither of them is left out.
        assert_eq!(shares(18, &[]), [Some(8), Some(8)]);
        assert_eq!(shares(17, &[]).iter().flatten().count(), 1);
    }

    #[test]
    fn a_column_is_chosen_by_what_it_is_worth_in_the_room_it_takes() {
        let (weak, strong) = (Claim::fixed(9, 7 * POINT), Claim::fixed(5, 40 * POINT));
        let chosen = |room| shares(room, &[weak.clone(), strong.clone()])[2..].to_vec();
        assert_eq!(chosen(55), [Some(9), Some(5)]);
        assert_eq!(chosen(54), [None, Some(5)]);
        // For a weak column nothing is cut, for a strong one some.
        assert_eq!(chosen(48), [None, Some(5)]);
        assert_eq!(shares(43, &[weak.clone(), strong.clone()]), [Some(14), Some(20), None, Some(5)]);
        assert_eq!(
            shares(43, &[weak.clone(), strong.clone().worth_less(8)]),
            [Some(15), Some(20), None, None]
        );
    }

    #[test]
    fn a_long_text_is_cut_to_a_usual_length_before_what_is_worth_little_is_left_out() {
        let name = Claim::of_texts(1000 * POINT, 56 * POINT, 8, &[60]);
        let dear = name.clone().dear_below(28, 2 * POINT, &[60]);
        let weak = Claim::fixed(7, 8 * POINT);
        assert_eq!(share(&[name, weak.clone()], 30, 2), [Some(21), Some(7)]);
        assert_eq!(share(&[dear.clone(), weak.clone()], 30, 2), [Some(30), None]);
        assert_eq!(share(&[dear, weak], 40, 2), [Some(31), Some(7)]);
    }

    #[test]
    fn what_is_left_over_goes_to_what_grows() {
        let trend = Claim::fixed(8, 13 * POINT).grown(12, POINT).grown(36, 1);
        for (room, width) in
            [(45, None), (46, Some(8)), (47, Some(8)), (51, Some(12)), (60, Some(21)), (90, Some(36))]
        {
            assert_eq!(shares(room, std::slice::from_ref(&trend))[2], width, "{room}");
        }
        assert_eq!((trend.worth(7), trend.worth(8), trend.worth(99)), (0, 13 * POINT, 17 * POINT + 24));
    }
}
