import { isGone, versionText } from '../../core/push/operation.ts'
import type { MissingFile } from '../../core/push/distribution.ts'
import { keyPath } from '../../lib/safe-path.ts'
import { uriEncodePath } from '../../lib/s3/target.ts'
import { dayOf, escapeHtml, htmlPage, isCrawlable, linkTo, shellWord } from './text.ts'

/** What a child lacks of a tree. */
export interface Missing {
  readonly tree: string
  readonly file: MissingFile
}

/** A child in paths: a name and what it lacks. */
export interface MissingChild {
  readonly name: string
  readonly segment: string
  readonly operations: number
}

export const MISSING_PATH = '/__missing__'

/** The names of children as parts of paths, no two alike. */
export function segmentsOf(names: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const name of names) {
    const plain = name.replace(/[^\w.:-]/g, '_')
    let segment = plain
    for (let next = 2; found.has(segment); next++) segment = `${plain}_${next}`
    found.set(segment, name)
  }
  return found
}

/** `/__missing__/`: the children. */
export function* childrenPage(children: readonly MissingChild[]): Generator<string, void> {
  const lines = children.map(
    ({ name, segment, operations }) => `${linkTo(`${segment}/`, name)}: ${operations} missing<br>\n`,
  )
  yield* htmlPage('What the children lack', lines.length > 0 ? lines : ['This node has no children.\n'])
}

/** `/__missing__/CHILD/`: the days since which something lacks. No link leads anywhere else: wget would follow it. */
export function* daysPage(child: string, missing: Iterable<Missing>): Generator<string, void> {
  const days = new Map<string, number>()
  for (const { file } of missing) {
    const day = dayOf(file.recordedMs)
    days.set(day, (days.get(day) ?? 0) + 1)
    // Nothing can be said before the last one was seen.
    yield ''
  }
  const lines = [...days]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([day, count]) => `${linkTo(`${day}.log.html`, day)}: ${count} missing<br>\n`)
  const more = '<p>The same to be run by a shell: catchup.sh; for programs: catchup.jsonl.</p>\n'
  yield* htmlPage(`What ${child} lacks`, lines.length > 0 ? [...lines, more] : ['Nothing is missing.\n'])
}

/**
 * `/__missing__/CHILD/YYYY-MM-DD.log.html`: a line for each operation of that day. Links are relative and lie below the child, so that wget
 * follows them with `--no-parent`. facts: nginx.filedist's `log_error`, and its readme.
 */
export function* dayLog(child: string, day: string, missing: Iterable<Missing>): Generator<string, void> {
  yield* htmlPage(`What ${child} lacks since ${day}`, logLines(child, day, missing))
}

function* logLines(child: string, day: string, missing: Iterable<Missing>): Generator<string, void> {
  for (const one of missing) yield dayOf(one.file.recordedMs) === day ? logLine(child, one) : ''
}

function logLine(child: string, { tree, file }: Missing): string {
  const { operation, recordedMs, error = 'it is on its way' } = file
  const path = `${tree}/${operation.key}`
  const isLink = !isGone(operation) && isCrawlable(operation.key)
  const shown = isLink ? linkTo(path, `/${path}`) : escapeHtml(`/${path}`)
  const what = isGone(operation) ? 'remove' : 'store'
  const since = new Date(recordedMs).toISOString()
  return `error: ${escapeHtml(child)}${shown} failed to ${what}: ${escapeHtml(error)}, since ${since}<br>\n`
}

/** `/__missing__/CHILD/catchup.jsonl`: a line of JSON for each operation. */
export function* missingLines(missing: Iterable<Missing>): Generator<string, void> {
  for (const { tree, file } of missing) {
    const { operation, recordedMs, error } = file
    const { key, version } = operation
    const what = isGone(operation)
      ? { gone: true }
      : { path: `/${uriEncodePath(`${tree}/${key}`)}`, size: operation.size, sha256: operation.sha256 }
    const line = { tree, key, ...what, version: versionText(version), since: new Date(recordedMs).toISOString(), error }
    yield `${JSON.stringify(line)}\n`
  }
}

/** What breaks off has no last line: a pipe ends with 1 then, and the last thing that was asked, perhaps only half of a name, is not done. */
const SCRIPT = `set -u
failed=0
trap 'echo "failed: the list of what is missing broke off" >&2; exit 1' EXIT
fetch() { # where to, path on the server, SHA-256 or -
  if [ "$3" != - ] && [ -f "$1" ] && [ "$(sha256sum < "$1" | cut -c 1-64)" = "$3" ]; then return; fi
  mkdir -p -- "$(dirname -- "$1")" && : > "$1.catchup~" &&
    { [ -z "\${FLOTILLA_KEY-}" ] || printf 'header = "authorization: Bearer %s"\\n' "$FLOTILLA_KEY"; } |
    curl -fsS --path-as-is -K - -o "$1.catchup~" "$base$2" &&
    { [ "$3" = - ] || [ "$(sha256sum < "$1.catchup~" | cut -c 1-64)" = "$3" ]; } &&
    mv -f -- "$1.catchup~" "$1" && return
  failed=1
  rm -f -- "$1.catchup~"
  printf 'failed: %s\\n' "$1" >&2
}
gone() { [ "$2" = end ] && { rm -f -- "$1" && return; failed=1; printf 'failed: %s\\n' "$1" >&2; }; }
`

/** `/__missing__/CHILD/catchup.sh`: brings all of it, deletions as well, and verifies what it brings. */
export function* catchupScript(child: string, base: string, missing: Iterable<Missing>): Generator<string, void> {
  // oxlint-disable-next-line no-control-regex -- a comment ends with its line
  const name = child.replace(/[^\x20-\x7e]/g, ' ')
  yield `#!/bin/sh\n# What ${name} lacks. To be run there, in the folder that holds the folders of the trees.\n`
  yield `# Where this server wants a key: FLOTILLA_KEY=… sh catchup.sh\nbase=${shellWord(base)}\n${SCRIPT}`
  for (const { tree, file } of missing) {
    const { operation } = file
    const place = shellWord(`${tree}/${keyPath(operation.key)}`)
    const path = shellWord(`/${uriEncodePath(`${tree}/${operation.key}`)}`)
    yield isGone(operation) ? `gone ${place} end\n` : `fetch ${place} ${path} ${operation.sha256 ?? '-'}\n`
  }
  yield 'trap - EXIT\nexit "$failed"\n'
}
