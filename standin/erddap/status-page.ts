import type { Failure, LoadKind } from './stats.ts'
import { atLeast, SINCE } from './version.ts'
import type { World } from './world.ts'

/** The page of status.html: what stands in its `<pre>` down to the requests, which the stand-in does not count. */
export function statusPage(world: World): string {
  return `<!DOCTYPE html>
<html lang="en-US">
<head>
<title>ERDDAP stand-in - Status</title>
</head>
<body>
<div class="standard_width">
<pre>${asHtml(statusText(world))}</pre>
</div>
</body>
</html>
`
}

function statusText(world: World): string {
  const { report, options } = world
  const { grids, tables } = world.counts()
  const split = atLeast(options.version, SINCE.splitParser)
  const ran = report.finishedAtMs - report.startedAtMs
  return [
    `Current time is ${localTime(new Date())}\n`,
    `Startup was at  ${localTime(world.startedAt)}\n`,
    `Last major LoadDatasets started ${elapsed(Math.floor((Date.now() - report.startedAtMs) / 1000) * 1000)} ago and `,
    ran < 0 ? 'is still running.\n' : `finished after ${Math.floor(ran / 1000)} seconds.\n`,
    atLeast(options.version, SINCE.saysWhatLoads) ? currently(world) : '',
    `nGridDatasets  = ${grids}\nnTableDatasets = ${tables}\nnTotalDatasets = ${grids + tables}\n`,
    report.failed,
    split ? report.reasons : '',
    report.errors,
    'Unique users (since startup)                            n = 1\n',
  ].join('')
}

function currently({ loading }: World): string {
  if (loading === undefined) return 'Currently, no dataset is loading.\n'
  const { kind, number, id, sinceMs } = loading
  const load = kind === 'major' ? 'major' : 'minor'
  return `Currently, ${load} LoadDatasets is loading dataset #${number}=${id} (${elapsed(Date.now() - sinceMs)}).\n`
}

/** Calendar2.elapsedTimeString. */
function elapsed(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds === 0) return `${ms} ms`
  if (seconds < 60) return `${seconds}.${String(ms % 1000).padStart(3, '0')} s`
  const days = Math.floor(seconds / 86_400)
  const hours = Math.floor(seconds / 3600) % 24
  const rest = `${Math.floor(seconds / 60) % 60}m ${seconds % 60}s`
  const dayText = `${days} ${days === 1 ? 'day' : 'days'}`
  if (days > 0 && seconds % 86_400 === 0) return dayText
  return `${days > 0 ? `${dayText} ` : ''}${days > 0 || hours > 0 ? `${hours}h ` : ''}${rest}`
}

function localTime(date: Date): string {
  const offset = -date.getTimezoneOffset()
  const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, 19)
  const size = Math.abs(offset)
  return `${local}${offset < 0 ? '-' : '+'}${twoDigits(Math.floor(size / 60))}:${twoDigits(size % 60)}`
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}

const NAMED = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
  ['%', '&#37;'],
])

/** XML.encodeAsHTML: 7-bit text; characters above it as numbers. */
export function asHtml(text: string): string {
  return text.replaceAll(
    /[&<>"'%]|[\u0080-\uffff]/g,
    (char) => NAMED.get(char) ?? `&#x${char.charCodeAt(0).toString(16)};`,
  )
}

/** The list of what could not be loaded, as it stands on status.html and in the log. */
export function failedText(kind: LoadKind, failed: readonly Failure[]): string {
  const head = `n Datasets Failed To Load (in the last ${kind === 'major' ? 'major' : 'minor'} LoadDatasets) = `
  const list = wrap(failed.map(({ id }) => `${id}, `).join(''))
  return `${head}${failed.length}\n${failed.length === 0 ? '' : `    ${list}(end)\n`}`
}

/** String2.noLongLinesAtSpace(text, 100, "    "). */
export function wrap(text: string): string {
  const MAX = 100
  if (text.length <= MAX) return text
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length >= MAX) {
      lines.push(line)
      line = '   '
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].join('\n')
}

export function reasonsText(failed: readonly Failure[]): string {
  return `Reasons for failing to load datasets: \n${failed.map(({ id, message }) => `${id}: ${message}\n`).join('')}`
}
