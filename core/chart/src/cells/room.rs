//! Shares the room of a line among columns: what they wish for is granted in its order, as long as there is room.

/// A width that a column wishes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// This width or none: less would be of no use.
    Whole(usize),
    /// As much of this width as there is, for a column that is shown.
    UpTo(usize),
}

/// Returns the width of each of so many columns in a line of `room`, with `gap` between two; `None` for one that is left out.
pub fn share(
    wishes: impl IntoIterator<Item = (usize, Wish)>,
    columns: usize,
    room: usize,
    gap: usize,
) -> Vec<Option<usize>> {
    let mut widths: Vec<Option<usize>> = vec![None; columns];
    let mut left = room + gap;
    for (column, wish) in wishes {
        let has = widths[column].map_or(0, |width| width + gap);
        let wished = gap
            + match wish {
                Wish::Whole(0) => continue,
                Wish::Whole(width) => width,
                Wish::UpTo(_) if has == 0 => continue,
                Wish::UpTo(width) => width.min(has + left - gap),
            };
        if has < wished && wished <= has + left {
            left -= wished - has;
            widths[column] = Some(wished - gap);
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_granted_in_their_order() {
        let wishes = [
            (0, Wish::Whole(8)),
            (2, Wish::Whole(5)),
            (1, Wish::Whole(20)),
            (2, Wish::Whole(12)),
            (0, Wish::UpTo(15)),
            (1, Wish::Whole(3)),
            (3, Wish::UpTo(9)),
        ];
        let shares = |room| share(wishes, 4, room, 2);
        assert_eq!(shares(7), [None, None, Some(5), None]);
        assert_eq!(shares(14), [Some(14), None, None, None]);
        assert_eq!(shares(15), [Some(8), None, Some(5), None]);
        assert_eq!(shares(24), [Some(10), None, Some(12), None]);
        assert_eq!(shares(40), [Some(11), Some(20), Some(5), None]);
        assert_eq!(shares(99), [Some(15), Some(20), Some(12), None]);
    }

    #[test]
    fn no_line_is_longer_than_its_room() {
        let wishes = [7, 3, 9, 4, 30].map(|width| [Wish::Whole(width), Wish::UpTo(2 * width)]);
        for room in 0..80 {
            let all = wishes.iter().enumerate().flat_map(|(at, own)| own.map(|wish| (at, wish)));
            let shown: Vec<usize> = share(all, wishes.len(), room, 2).into_iter().flatten().collect();
            assert!(shown.iter().map(|width| width + 2).sum::<usize>() <= room + 2, "{room}: {shown:?}");
        }
    }
}
