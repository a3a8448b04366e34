import { createHash } from 'node:crypto'
import type { ListName } from '../../../core/lists.ts'
import type { Problem } from '../../../core/problem.ts'
import { sha256 } from '../../../lib/hash.ts'
import { canonicalOf, datasetDigest } from './canonical.ts'
import { placeIn } from './check.ts'
import type { Compiled, CompiledDataset } from './compile.ts'
import type { Fragment } from './fragment.ts'
import type { Source } from './load.ts'
import { escapeXml } from './text.ts'
import { type Element, parseXml } from './xml.ts'

export const LF = 10

/** Lines of the compiled file that come from one source: from `line` on, `fileLine` being the source's first of them. */
interface Mark {
  readonly line: number
  readonly lines: number
  readonly source: Source
  readonly fileLine: number
}

/** A datasets.xml in the making: pieces one after the other, nothing copied. */
export class Assembly {
  readonly #chunks: Uint8Array[] = []
  readonly #datasets: CompiledDataset[] = []
  readonly #marks: Mark[] = []
  readonly #lists: readonly ListName[]
  #settings = ''
  #line = 1

  /** `lists`: the settings that are said by `set` and nowhere else. */
  constructor(lists: readonly ListName[] = []) {
    this.#lists = lists
  }

  /** Text of our own, whole lines. */
  write(text: string): void {
    this.#push(Buffer.from(text))
  }

  /** Bytes `from` to `to` of a fragment with what is defined there; ends the line if they do not. */
  add(source: Source, fragment: Fragment, from = 0, to = fragment.bytes.byteLength): void {
    const whole = from === 0 && to === fragment.bytes.byteLength
    const bytes = fragment.bytes.subarray(from, to)
    const before = from === 0 ? 0 : countLf(fragment.bytes.subarray(0, from))
    const lines = whole ? fragment.lines : countLf(bytes) + (bytes.at(-1) === LF ? 0 : 1)
    this.#marks.push({ line: this.#line, lines, source, fileLine: fragment.line + before })
    this.#push(bytes, whole ? fragment.lines : undefined)
    if (bytes.at(-1) !== LF) this.write('\n')
    for (const { start, canonical } of fragment.settings) if (start >= from && start < to) this.#settings += canonical
    for (const { start, end, line, ...dataset } of fragment.datasets) {
      if (start < from || start >= to) continue
      const place = placeIn(source, line)
      const element = fragment.bytes.subarray(start, end)
      this.#datasets.push({ ...dataset, tombstone: false, source: element, path: place.file, line: place.line })
    }
  }

  /** A setting of our own, outside of every dataset. */
  set(name: string, content: string): void {
    const text = `<${name}>${escapeXml(content)}</${name}>`
    this.write(`${text}\n`)
    this.#settings += canonicalOf(elementOf(text), text)
  }

  /** An inactive stand-in for a dataset that is gone. */
  bury(id: string, type: string): void {
    const text = `<dataset type="${escapeXml(type)}" datasetID="${escapeXml(id)}" active="false"></dataset>`
    this.write(`${text}\n`)
    const digest = digestOf(text)
    this.#datasets.push({
      id,
      type,
      active: false,
      tombstone: true,
      digest,
      source: Buffer.from(text),
      path: '',
      line: 0,
    })
  }

  finish(warnings: readonly Problem[]): Compiled {
    const [chunks, marks] = [this.#chunks, this.#marks]
    let digest: string | undefined
    return {
      chunks,
      size: chunks.reduce((size, chunk) => size + chunk.byteLength, 0),
      // Not before somebody asks: it is most of the work when nothing had to be read again.
      get sha256() {
        return (digest ??= sha256Of(chunks))
      },
      datasets: this.#datasets,
      topDigest: sha256(this.#settings),
      lists: this.#lists,
      warnings,
      locate: (line) => locate(marks, line),
    }
  }

  #push(bytes: Uint8Array, lines = countLf(bytes)): void {
    if (bytes.byteLength > 0) this.#chunks.push(bytes)
    this.#line += lines
  }
}

function sha256Of(chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

function digestOf(dataset: string): string {
  return datasetDigest(canonicalOf(elementOf(dataset), dataset), false)
}

function elementOf(text: string): Element {
  const parsed = parseXml(text)
  const [element] = parsed.fault === undefined ? parsed.roots : []
  if (element === undefined) throw new Error(`not an element: ${text}`)
  return element
}

function locate(marks: readonly Mark[], line: number): { file: string; line: number } | undefined {
  let low = 0
  let high = marks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((marks[middle]?.line ?? 0) <= line) low = middle + 1
    else high = middle
  }
  const mark = marks[low - 1]
  if (mark === undefined || line >= mark.line + mark.lines) return undefined
  return placeIn(mark.source, mark.fileLine + line - mark.line)
}

function countLf(bytes: Uint8Array): number {
  let count = 0
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) count++
  return count
}
