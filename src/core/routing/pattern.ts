import { FlotillaError } from '../errors.ts'
import { type CharSet, type Part, parsePattern, PatternFault, type Sequence } from './pattern-syntax.ts'

const PATTERN_CHARS = 200

/** In how many ways the bounded parts may be matched before a match is known to fail. */
const WAYS_MAX = 64

/**
 * Why a pattern cannot be a rule; undefined if it can. Every engine that tries one path after another then needs at most
 * about the square of the path's length: where a part can end in several places, what follows tells which.
 * One part may be unbounded and not so, such as `.*` before `/`.
 */
export function patternFault(pattern: string): string | undefined {
  if (pattern.length > PATTERN_CHARS) return `it is longer than ${PATTERN_CHARS} characters`
  try {
    const sequence = parsePattern(pattern)
    const captures = capturesOf(sequence)
    if (captures !== 1) return `it has ${captures} groups that capture; the key is what the only one matches`
    const { unbounded, ways } = doubtIn(sequence, 0n)
    if (unbounded > 1) return 'two of its repetitions can take the same characters: some paths would take too long'
    if (ways > WAYS_MAX) return 'its parts can be matched in too many ways: some paths would take too long'
    return undefined
  } catch (error) {
    if (error instanceof PatternFault) return error.message
    throw error
  }
}

/** The rule as an expression. Throws `CONFIG_INVALID` where `patternFault` finds something. */
export function rulePattern(pattern: string): RegExp {
  const fault = patternFault(pattern)
  if (fault === undefined) return new RegExp(pattern)
  throw new FlotillaError('CONFIG_INVALID', `the pattern ${pattern} cannot be a rule: ${fault}`, {
    hint: 'A rule looks like ^/tiles/([^/]+)/',
  })
}

function capturesOf(sequence: Sequence): number {
  return sequence.reduce((sum, part) => {
    if (part.is === 'chars') return sum
    return part.options.reduce((inner, option) => inner + capturesOf(option), sum + Number(part.captures))
  }, 0)
}

interface First {
  readonly set: CharSet
  readonly nullable: boolean
}

function firstOfPart(part: Part): First {
  if (part.is === 'chars') return { set: part.set, nullable: part.min === 0 }
  const firsts = part.options.map((option) => firstOf(option, 0n))
  const set = firsts.reduce((sum, first) => sum | first.set, 0n)
  return { set, nullable: part.optional || firsts.some(({ nullable }) => nullable) }
}

/** With which characters it may begin, those of `then` included where it may be empty. */
function firstOf(sequence: Sequence, then: CharSet): First {
  return sequence.reduceRight<First>(
    (after, part) => {
      const { set, nullable } = firstOfPart(part)
      return nullable ? { set: set | after.set, nullable: after.nullable } : { set, nullable: false }
    },
    { set: then, nullable: true },
  )
}

/** Where a match could go on in more than one way although the next character is known. */
interface Doubt {
  readonly unbounded: number
  readonly ways: number
}

function doubtIn(sequence: Sequence, then: CharSet): Doubt {
  let doubt: Doubt = { unbounded: 0, ways: 1 }
  for (const [index, part] of sequence.entries()) {
    const next = firstOf(sequence.slice(index + 1), then).set
    doubt = both(doubt, part.is === 'chars' ? doubtOfChars(part, next) : doubtOfGroup(part, next))
  }
  return doubt
}

function doubtOfChars({ set, min, max }: Part & { is: 'chars' }, next: CharSet): Doubt {
  const isSure = min === max || (set & next) === 0n
  if (isSure) return { unbounded: 0, ways: 1 }
  return max === Number.POSITIVE_INFINITY ? { unbounded: 1, ways: 1 } : { unbounded: 0, ways: max - min + 1 }
}

function doubtOfGroup({ options, optional }: Part & { is: 'group' }, next: CharSet): Doubt {
  const firsts = options.map((option) => firstOf(option, next).set)
  if (optional) firsts.push(next)
  const overlaps = firsts.some((first, index) => firsts.slice(index + 1).some((other) => (first & other) !== 0n))
  const inner = options.map((option) => doubtIn(option, next))
  return inner.reduce(both, { unbounded: 0, ways: overlaps ? firsts.length : 1 })
}

function both(a: Doubt, b: Doubt): Doubt {
  return { unbounded: a.unbounded + b.unbounded, ways: a.ways * b.ways }
}
