//! What each key means, the same on every screen. Tables of keys consist of these, so no screen can give a key another meaning.

/// A meaning, with the keys that have it; the first is shown in the footer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(&'static [&'static str]);

impl Key {
    /// The names, such as `q`, `ctrl-c`, `space`, `left`, `f1`.
    pub(crate) const fn names(self) -> &'static [&'static str] {
        self.0
    }
}

macro_rules! meanings {
    ($($id:ident $names:tt $meaning:literal)*) => {
        $(#[doc = $meaning] pub(crate) const $id: Key = Key(&$names);)*

        /// All of them, in words.
        #[cfg(test)]
        pub(crate) const ALL: &[(Key, &str)] = &[$(($id, $meaning)),*];
    };
}

meanings! {
    UP ["up", "k"] "up"
    DOWN ["down", "j"] "down"
    LEFT ["left", "h"] "to the left: columns, the cursor of charts; fold"
    RIGHT ["right", "l"] "to the right; unfold"
    FAR_LEFT ["ctrl-left", "alt-left"] "ten times as far to the left"
    FAR_RIGHT ["ctrl-right", "alt-right"] "ten times as far to the right"
    START ["home"] "to the start: of a list, of a text, of the x axis"
    END ["end"] "to its end"
    FIRST ["g"] "to the first: run, chart, line"
    LAST ["G"] "to the last"
    PAGE_UP ["pageup", "["] "a page up"
    PAGE_DOWN ["pagedown", "]"] "a page down"
    NEXT ["tab"] "the next thing: chart, table, match, field"
    PREVIOUS ["shift-tab"] "the previous thing"
    ENTER ["enter"] "open it, or accept"
    BACK ["esc"] "back, one step at a time"
    MARK ["space"] "mark it: selected or not, shown or not"
    ALL_OF_THEM ["a"] "all"
    ONLY ["f"] "only this one"
    OPEN ["O"] "open the run, where enter opens a chart"
    NEW ["n"] "a new run"
    COMPARE ["c"] "compare"
    FIND ["/"] "find"
    NEXT_MATCH ["n"] "the next match"
    PREVIOUS_MATCH ["N"] "the previous match"
    SORT ["s"] "sort"
    REVERSE ["o"] "reverse the order"
    COLUMN_LEFT ["<"] "the column of a table to the left"
    COLUMN_RIGHT [">"] "the column of a table to the right"
    GROUP ["b"] "group by the next parameter"
    GROUP_BACK ["B"] "group by the previous parameter"
    VIEWS ["V"] "views by name"
    PARTS ["v"] "which parts of the screen are shown"
    PART_1 ["1"] "the first part of the screen alone"
    PART_2 ["2"] "the second part"
    PART_3 ["3"] "the third part"
    PART_4 ["4"] "the fourth part"
    PART_5 ["5"] "the fifth part"
    PART_6 ["6"] "the sixth part"
    WRITE ["w"] "save: a chart to a file, a view under a name"
    SMOOTH ["+", "="] "smooth more"
    ROUGH ["-"] "smooth less"
    ZOOM_X ["z"] "zoom in along x"
    WIDEN_X ["Z"] "zoom out along x"
    ZOOM_Y ["u"] "zoom in along y"
    WIDEN_Y ["U"] "zoom out along y"
    STEP_LEFT ["shift-left", ","] "move the window to the left"
    STEP_RIGHT ["shift-right", "."] "move the window to the right"
    STEP_UP ["shift-up"] "higher: the window, the value of a field"
    STEP_DOWN ["shift-down"] "lower"
    PAN_UP ["}"] "move the window up"
    PAN_DOWN ["{"] "move the window down"
    RESET ["0"] "the whole of a chart again"
    LOG_Y ["y"] "logarithmic y"
    LOG_X ["X"] "logarithmic x"
    AXIS ["A"] "the next x axis"
    EXTREMES ["E"] "clip extremes"
    SAME_Y ["Y"] "the same range of y"
    COLUMNS ["|"] "one more column of charts"
    ROWS ["_"] "one more row of charts"
    LEGEND ["i"] "names and values of series"
    SERIES ["L"] "list the series"
    PIN ["P"] "this chart first"
    SECTION [")"] "the next section of charts"
    SECTION_BACK ["("] "the section before"
    FOLLOW ["F"] "follow the end"
    WRAP ["W"] "wrap long lines"
    PAUSE ["p"] "pause"
    RESUME ["r"] "resume"
    CHECKPOINT ["K"] "save a checkpoint"
    STOP ["S"] "stop"
    KILL ["ctrl-k"] "kill"
    RESTART ["R"] "restart"
    STAR ["*"] "star"
    TAG ["t"] "tags"
    NOTE ["e"] "a note"
    QUERY ["Q"] "ask in SQL"
    DELETE ["D", "delete"] "delete"
    EXPERIMENTS ["x"] "the experiments"
    HELP ["?"] "all keys"
    F1 ["f1"] "all keys, even while something is typed"
    THEME ["T"] "the next theme"
    MOUSE ["m"] "free the mouse, or take it"
    REDRAW ["ctrl-l"] "redraw the screen"
    QUIT ["q"] "leave: the monitor, or a window in it"
    END_NOW ["ctrl-c"] "quit, even while something is typed"
    SUSPEND ["ctrl-z"] "back to the shell"
    START_RUN ["ctrl-s"] "start the run of a form"
    RESET_FIELD ["ctrl-r"] "the default of a field again"
    MORE ["ctrl-up", "alt-up"] "a larger value"
    LESS ["ctrl-down", "alt-down"] "a smaller value"
    YES ["y"] "yes, to a question"
    NO ["n"] "no, to a question"
}
