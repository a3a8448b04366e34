/** Why ERDDAP could not load a dataset, or could not go on reading, in its own words. */
export interface LoadError {
  /** Line of the compiled datasets.xml, starting at 1, where ERDDAP tells one. */
  readonly line: number | undefined
  readonly message: string
}

const BLOCK = /datasets\.xml error on line #(\d+)\s*\nWhile trying to load datasetID=(\S+) \(after \d+ ms\)[ \t]*\n/g
/** How much of what follows is looked at for a reason. */
const REASON_MAX = 4000
const MESSAGE_MAX = 500

/**
 * The errors of single datasets in a text of ERDDAP, by id; a later one replaces an earlier one. The same block stands in
 * log.txt and, since version 2.25, under "Reasons for failing" on the status page. (ERDDAP's LoadDatasets.)
 */
export function loadErrors(text: string): ReadonlyMap<string, LoadError> {
  const errors = new Map<string, LoadError>()
  for (const found of text.matchAll(BLOCK)) {
    const [, line, id = ''] = found
    errors.set(id, { line: Number(line), message: firstWords(behind(text, found)) })
  }
  return errors
}

const BROKEN_OFF = /ERROR while processing (?:line #(\d+) )?datasets\.xml: ?/g

/** The last time that ERDDAP stopped reading datasets.xml before its end. */
export function brokenOff(text: string): LoadError | undefined {
  const last = [...text.matchAll(BROKEN_OFF)].at(-1)
  if (last === undefined) return undefined
  return {
    line: last[1] === undefined ? undefined : Number(last[1]),
    message: firstWords(behind(text, last).split('\n')[0] ?? ''),
  }
}

function behind(text: string, found: RegExpExecArray): string {
  const start = found.index + found[0].length
  return text.slice(start, start + REASON_MAX)
}

/** The message of a Java exception without its class names and stack trace, on one line. */
function firstWords(text: string): string {
  const words: string[] = []
  for (const line of text.split('\n')) {
    if (/^\s*at [\w.$]+/.test(line) || /^\s*(?:Caused by:|\.\.\. \d+ more|\*{3})/.test(line)) break
    if (line.trim() === '' && words.length > 0) break
    const bare = line.replace(/^(?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable): ?/, '').trim()
    if (bare !== '') words.push(bare)
  }
  const message = words.join(' ').replace(/ERROR in XML file on line #\d+: /, '')
  return message === '' ? 'ERDDAP gives no reason' : message.slice(0, MESSAGE_MAX)
}
