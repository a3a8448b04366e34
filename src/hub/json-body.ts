import { FlotillaError } from '../core/errors.ts'

export interface JsonLimits {
  readonly depth: number
  /** Members of objects and elements of arrays, all together. */
  readonly members: number
}

/** Names that reach an object's prototype in careless code. */
const HOSTILE = new Set(['__proto__', 'constructor', 'prototype'])

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const COMMA = 0x2c
const OPEN_OBJECT = 0x7b
const OPEN_ARRAY = 0x5b
const CLOSE = new Set([0x7d, 0x5d])
const NUMBER = /-?\d[\d.eE+-]*/y
const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Parses a JSON body that may be hostile. Beyond what `JSON.parse` refuses, it refuses with `BAD_REQUEST`: bytes that are not
 * UTF-8, too deep a nesting, a member named twice (parsers disagree on which one counts),
 * `__proto__`, `constructor` and `prototype` as names, and numbers beyond the safe integers. More members and elements
 * than the limit are `TOO_LARGE`: every one that does not fit its schema costs a kilobyte of findings.
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits): unknown {
  const text = decode(bytes)
  inspect(text, limits)
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw bad('the body is not valid JSON')
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw bad('the body is not valid UTF-8')
  }
}

/**
 * One pass over the tokens, without recursion. What is not JSON at all is left to `JSON.parse`: it only has to be
 * certain that nothing in a valid text goes unseen.
 */
function inspect(text: string, limits: JsonLimits): void {
  /** What is open: the names of an object so far, nothing for an array. */
  const names: (Set<string> | undefined)[] = []
  let members = 0
  const count = (): void => {
    members += 1
    if (members > limits.members) {
      throw new FlotillaError('TOO_LARGE', `the body has more than ${limits.members} members and elements`)
    }
  }
  let at = 0
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(text, at)
      const after = skipSpace(text, end)
      if (text.charCodeAt(after) === COLON) {
        count()
        addName(names.at(-1), text.slice(at, end))
      }
      at = after
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      names.push(code === OPEN_OBJECT ? new Set() : undefined)
      if (code === OPEN_ARRAY) count()
      if (names.length > limits.depth) throw bad(`the body is nested deeper than ${limits.depth}`)
      at += 1
    } else if (CLOSE.has(code)) {
      names.pop()
      at += 1
    } else if (code === COMMA) {
      if (names.at(-1) === undefined) count()
      at += 1
    } else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
      at = endOfNumber(text, at)
    } else {
      at += 1
    }
  }
}

function addName(names: Set<string> | undefined, quoted: string): void {
  const name = quoted.includes('\\') ? unescaped(quoted) : quoted.slice(1, -1)
  if (HOSTILE.has(name)) throw bad(`a member may not be named "${name}"`)
  if (names?.has(name) === true) throw bad(`the member ${JSON.stringify(name.slice(0, 100))} occurs twice`)
  names?.add(name)
}

function unescaped(quoted: string): string {
  try {
    return JSON.parse(quoted) as string
  } catch {
    throw bad('the body is not valid JSON')
  }
}

/** Index after the closing quote. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes += 1
    if (backslashes % 2 === 0) return quote + 1
  }
  return text.length
}

function endOfNumber(text: string, start: number): number {
  NUMBER.lastIndex = start
  const digits = NUMBER.exec(text)?.[0]
  if (digits === undefined) return start + 1
  const value = Number(digits)
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER || Object.is(value, -0)) {
    throw bad(`the number ${digits.slice(0, 40)} cannot be held exactly`)
  }
  return start + digits.length
}

function skipSpace(text: string, start: number): number {
  let at = start
  for (let code = text.charCodeAt(at); code === 0x20 || (code >= 0x09 && code <= 0x0d); code = text.charCodeAt(at))
    at += 1
  return at
}

function bad(message: string): FlotillaError {
  return new FlotillaError('BAD_REQUEST', message)
}
