import type { Json } from '../json-patch/json.ts'
import { type At, templateError } from './model.ts'
import { ShellText } from './shell.ts'
import { asWord } from './shell-levels.ts'
import { Marked, textOf } from './values.ts'

/**
 * How values are written: `shell` quotes each as its place in the script needs it, `plain` refuses what could break out of its
 * line, `raw` writes it as it is.
 */
export type Quoting = 'shell' | 'plain' | 'raw'

/** Takes a text piece by piece: what the template says itself, and values from elsewhere. */
export interface Writer {
  readonly text: string
  literal(text: string): void
  value(value: Json | Marked, at: At): void
}

export function writerFor(quoting: Quoting): Writer {
  return quoting === 'shell' ? new ShellWriter() : new PlainWriter(quoting === 'plain')
}

/** By the name of the file it becomes, or of its template; and by its first line. */
export function quotingOf(names: readonly string[], text: string): Quoting {
  const isScript = names.some((name) => /\.(?:sh|bash|dash|ksh)(?:\.tmpl)?$/i.test(name))
  return isScript || /^#![^\n]*\b(?:sh|bash|dash|ksh)\b/.test(text) ? 'shell' : 'plain'
}

class PlainWriter implements Writer {
  readonly #refuses: boolean
  text = ''

  constructor(refuses: boolean) {
    this.#refuses = refuses
  }

  literal(text: string): void {
    this.text += text
  }

  value(value: Json | Marked, at: At): void {
    const text = textOf(value, at)
    const as = value instanceof Marked ? value.as : undefined
    if (as === 'shell') this.text += asWord(text)
    else {
      if (this.#refuses && as !== 'raw' && CONTROL.test(text)) throw templateError(at, BROKEN, BROKEN_HINT)
      this.text += text
    }
  }
}

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/
const BROKEN = 'the value has a line break or another control character, and would add lines of its own'
const BROKEN_HINT = 'Where that is meant, such as for a certificate, write … | raw; else … | json.'

class ShellWriter implements Writer {
  readonly #shell = new ShellText()

  get text(): string {
    return this.#shell.text
  }

  literal(text: string): void {
    this.#shell.literal(text)
  }

  value(value: Json | Marked, at: At): void {
    const text = textOf(value, at)
    if (value instanceof Marked && value.as === 'raw') this.#shell.literal(text)
    else this.#shell.value(text, at)
  }
}
