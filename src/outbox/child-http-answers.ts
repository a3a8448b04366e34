import { type ErrorCode, ERRORS, FlotillaError } from '../core/errors.ts'
import { impossibleKey } from '../core/files/impossible.ts'
import { BUCKETS } from '../core/push/buckets.ts'
import { isVersion, type Version } from '../core/push/operation.ts'
import { type Below, type HelloAnswer, isLedgerId, type Outcome, type SumRow, type Sums } from '../core/push/wire.ts'
import { cleanLine } from '../lib/clean.ts'

const BELOW_CHARS = 500

/** What a child answers is looked at before it is believed: a file that it did not take must not count as taken. */
export function helloOf(answer: unknown, name: string): HelloAnswer {
  const { id, heard, isRoot, isFilled, below } = fieldsOf(answer)
  if (!isLedgerId(id)) throw garbage(name)
  return {
    id,
    ...(Array.isArray(heard) && { heard: heard.filter(isLedgerId) }),
    below: belowOf(below),
    ...(isRoot === true && { isRoot }),
    ...(isFilled === true && { isFilled }),
  }
}

function belowOf(value: unknown): Below | undefined {
  const { error, isRefusal } = fieldsOf(value)
  if (typeof error !== 'string' || error === '') return undefined
  return { error: cleanLine(error.slice(0, BELOW_CHARS)), isRefusal: isRefusal === true }
}

export function outcomesOf(answer: unknown, count: number, name: string): readonly Outcome[] {
  if (!Array.isArray(answer) || answer.length !== count) throw garbage(name)
  return answer.map((one: unknown) => outcomeOf(one, name))
}

export function outcomeOf(answer: unknown, name: string): Outcome {
  const { result, isDeep, relayed, code, message } = fieldsOf(answer)
  switch (result) {
    case 'applied':
    case 'same':
    case 'older':
      return { result, ...(isDeep === true && { isDeep }), ...(isIndexes(relayed) && { relayed }) }
    case 'wanted':
      return { result }
    case 'failed':
      if (typeof code !== 'string' || typeof message !== 'string') throw garbage(name)
      return { result, code: Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'INTERNAL', message }
    default:
      throw garbage(name)
  }
}

export function bytesOf(answer: unknown, name: string): number {
  const { bytes } = fieldsOf(answer)
  if (!Number.isSafeInteger(bytes) || (bytes as number) < 0) throw garbage(name)
  return bytes as number
}

export function sumsOf(answer: unknown, name: string): Sums {
  const isValid = Array.isArray(answer) && answer.length === BUCKETS && answer.every((sum) => typeof sum === 'string')
  if (!isValid) throw garbage(name)
  return answer
}

export function rowsOf(answer: unknown, limit: number, name: string): readonly SumRow[] {
  if (!Array.isArray(answer) || answer.length > limit) throw garbage(name)
  return answer.map((row: unknown) => {
    const { key, content, version } = fieldsOf(row)
    if (impossibleKey(key as string) !== undefined || typeof content !== 'string') throw garbage(name)
    return { key: key as string, content, version: version === undefined ? undefined : versionOf(version, name) }
  })
}

function versionOf(value: unknown, name: string): Version {
  if (!isVersion(value)) throw garbage(name)
  const { epoch, sequence } = value
  return { epoch, sequence }
}

function isIndexes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((one) => Number.isSafeInteger(one))
}

function fieldsOf(answer: unknown): Readonly<Record<string, unknown>> {
  return typeof answer === 'object' && answer !== null ? (answer as Readonly<Record<string, unknown>>) : {}
}

function garbage(name: string): FlotillaError {
  return new FlotillaError('UNREACHABLE', `${name} answers with something that is no answer`, {
    hint: 'Check that the address is that of a Flotilla file service of this version.',
  })
}
