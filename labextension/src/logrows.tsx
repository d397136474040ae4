/** The lines of a log in a box that scrolls: only those that are seen are drawn. */

import {
  type JSX,
  memo,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState
} from 'react';
import { segments } from './ansi';
import type { LogRow } from './log';
import { marked, type Match, matchesOf } from './logsearch';
import { evenRows, type RowPlaces, unevenRows, visibleRows, wrappedHeights } from './windowing';

/** Pixels from the end within which it counts as the end. */
const NEAR_END = 24;
/** Pixels. A row that is as high as was reckoned but for less is not reckoned again. */
const SAME = 0.5;
/** Characters of the text whose size is measured. */
const PROBE = '0000000000';

interface Face {
  /** Of the letters, in pixels. */
  readonly letter: number;
  readonly line: number;
  /** Of the box, within its padding. */
  readonly width: number;
  readonly height: number;
}

export interface LogRowsProps {
  readonly rows: readonly LogRow[];
  readonly label: string;
  /** What is said in place of rows where there are none. */
  readonly empty: string;
  readonly wrap: boolean;
  /** Whether the end stays in sight as more comes. */
  readonly follow: boolean;
  readonly setFollow: (follow: boolean) => void;
  readonly matches: readonly Match[];
  /** The one that is looked at: it is brought into sight when it changes. */
  readonly current: Match | null;
  /** The first row that is in sight, for who begins to search there. */
  readonly firstSeen: { current: number };
}

export function LogRows(props: LogRowsProps): JSX.Element {
  const { rows, label, empty, wrap, follow, setFollow, matches, current, firstSeen } = props;
  const box = useRef<HTMLPreElement>(null);
  const probe = useRef<HTMLSpanElement>(null);
  const [scrollTop, setScrollTop] = useState(0);
  const face = useFace(box, probe, element => {
    element.scrollTop = follow ? element.scrollHeight : scrollTop;
  });
  const [places, measure] = usePlaces(rows, wrap, face);
  const longest = useMemo(() => rows.reduce((most, row) => Math.max(most, row.plain.length), 0), [rows]);
  const [first, last] = visibleRows(places, scrollTop, face.height);
  useLayoutEffect(() => {
    firstSeen.current = places.at(scrollTop);
  });
  useLayoutEffect(() => {
    if (box.current !== null) {
      measure(box.current);
    }
  });
  useLayoutEffect(() => {
    if (follow && box.current !== null) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [follow, places.total, face.height]);
  useReveal(box, places, current);
  const onScroll = () => {
    const element = box.current;
    if (element !== null) {
      const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END;
      // More may have come since it was scrolled to the end: only who goes up lets go.
      if (atEnd || element.scrollTop < scrollTop) {
        setFollow(atEnd);
      }
      setScrollTop(element.scrollTop);
    }
  };
  return (
    <div className="aif-Log-box">
      <span ref={probe} className="aif-Log-probe" aria-hidden="true">
        {PROBE}
      </span>
      <pre ref={box} tabIndex={0} role="group" aria-label={label} data-wrap={wrap} onScroll={onScroll}>
        {rows.length === 0 ? (
          empty
        ) : (
          <span className="aif-Log-all" style={{ height: places.total, minWidth: wrap ? 0 : `${longest}ch` }}>
            <span className="aif-Log-drawn" style={{ top: places.top(first) }}>
              {rows.slice(first, last).map((row, index) => (
                <Row
                  key={first + index}
                  row={row}
                  number={first + index}
                  matches={matchesOf(matches, first + index)}
                  current={current?.row === first + index ? current : null}
                />
              ))}
            </span>
          </span>
        )}
      </pre>
    </div>
  );
}

interface RowProps {
  readonly row: LogRow;
  readonly number: number;
  readonly matches: readonly Match[];
  readonly current: Match | null;
}

const Row = memo(
  ({ row, number, matches, current }: RowProps): JSX.Element => (
    <span className="aif-Log-row" data-row={number}>
      {row.plain === '' ? '\n' : null}
      {marked(segments(row.text, row.look), matches, current).map(
        ({ text, classes, color, background, mark }, index) =>
          mark !== 'none' ? (
            <mark key={index} data-current={mark === 'current'}>
              {text}
            </mark>
          ) : classes === '' && color === undefined && background === undefined ? (
            text
          ) : (
            <span key={index} className={classes} style={{ color, backgroundColor: background }}>
              {text}
            </span>
          )
      )}
    </span>
  ),
  (before, now) =>
    before.row === now.row &&
    before.number === now.number &&
    before.current === now.current &&
    before.matches.length === now.matches.length &&
    before.matches.every((match, index) => same(match, now.matches[index]))
);
Row.displayName = 'Row';

function same(one: Match, other: Match | undefined): boolean {
  return one.start === other?.start && one.end === other.end;
}

/**
 * How large letters and box are, as often as that changes; `place` then puts the box where it was, since browsers may
 * forget that of a tab that is not seen.
 */
function useFace(
  box: RefObject<HTMLElement>,
  probe: RefObject<HTMLElement>,
  place: (box: HTMLElement) => void
): Face {
  const latest = useRef(place);
  useLayoutEffect(() => {
    latest.current = place;
  });
  const [face, setFace] = useState<Face>({ letter: 8, line: 18, width: 640, height: 400 });
  useLayoutEffect(() => {
    const [element, letters] = [box.current, probe.current];
    if (element === null || letters === null) {
      return undefined;
    }
    const read = () => {
      const { width: ten, height: line } = letters.getBoundingClientRect();
      // In a tab that is not seen, nothing has a size.
      if (ten > 0 && element.clientHeight > 0) {
        const { paddingLeft, paddingRight } = getComputedStyle(element);
        const width = element.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
        setFace({ letter: ten / PROBE.length, line, width, height: element.clientHeight });
        latest.current(element);
      }
    };
    read();
    const watch = new ResizeObserver(read);
    watch.observe(element);
    watch.observe(letters);
    return () => {
      watch.disconnect();
    };
  }, [box, probe]);
  return face;
}

/** Where the rows are, and a function that corrects it by those that are drawn. */
function usePlaces(
  rows: readonly LogRow[],
  wrap: boolean,
  { letter, line, width }: Face
): readonly [RowPlaces, (box: HTMLElement) => void] {
  const columns = Math.floor(width / letter);
  const [version, again] = useReducer((count: number) => count + 1, 0);
  const begin = rows[0];
  // What was measured holds for one width and one beginning.
  const measured = useMemo(
    () => ({ columns, line, begin, heights: new Map<number, number>() }),
    [columns, line, begin]
  );
  const places = useMemo(
    () =>
      wrap
        ? unevenRows(
            wrappedHeights(
              rows.map(row => row.plain.length),
              columns,
              line,
              measured.heights
            )
          )
        : evenRows(rows.length, line),
    // A new version says that `measured` holds more.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [rows, wrap, columns, line, measured, version]
  );
  const measure = (box: HTMLElement) => {
    if (!wrap) {
      return;
    }
    const seen = places.at(box.scrollTop);
    let above = 0;
    let changed = false;
    for (const element of box.querySelectorAll<HTMLElement>('[data-row]')) {
      const row = Number(element.dataset.row);
      const more = element.getBoundingClientRect().height - (places.top(row + 1) - places.top(row));
      if (Math.abs(more) > SAME) {
        measured.heights.set(row, element.getBoundingClientRect().height);
        above += row < seen ? more : 0;
        changed = true;
      }
    }
    if (changed) {
      // What is looked at stays where it is.
      box.scrollTop += above;
      again();
    }
  };
  return [places, measure];
}

/** Brings a match into sight when another one is looked at: first its row, and once that is drawn the match itself. */
function useReveal(box: RefObject<HTMLElement>, places: RowPlaces, current: Match | null): void {
  const known = useRef(places);
  const pending = useRef(false);
  useLayoutEffect(() => {
    known.current = places;
  });
  useEffect(() => {
    const element = box.current;
    pending.current = current !== null;
    if (element === null || current === null) {
      return;
    }
    const top = known.current.top(current.row);
    if (top < element.scrollTop || top + NEAR_END > element.scrollTop + element.clientHeight) {
      element.scrollTop = Math.max(0, top - element.clientHeight / 3);
    }
    reveal(element, pending);
  }, [box, current]);
  useLayoutEffect(() => {
    if (pending.current && box.current !== null) {
      reveal(box.current, pending);
    }
  });
}

function reveal(box: HTMLElement, pending: { current: boolean }): void {
  const mark = box.querySelector('mark[data-current=true]');
  if (mark === null) {
    return;
  }
  pending.current = false;
  const [there, here] = [mark.getBoundingClientRect(), box.getBoundingClientRect()];
  if (there.left < here.left || there.right > here.right) {
    box.scrollLeft += there.left - here.left - here.width / 3;
  }
  if (there.top < here.top || there.bottom > here.bottom) {
    box.scrollTop += there.top - here.top - here.height / 3;
  }
}
