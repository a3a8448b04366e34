import { FUNCTIONS, type Surroundings, type TokenWish, wishId } from './functions.ts'
import { Budget, isJsonArray, isJsonObject, isSame, type Json, Spent } from '../json-patch/json.ts'
import { type At, type Expression, type Piece, TEMPLATE_LIMITS, templateError } from './model.ts'
import { parseTemplate } from './parse.ts'
import { dataOf, isTrue, memberOf, Missing, present, type Value } from './values.ts'
import { type Quoting, writerFor, type Writer } from './writer.ts'

/** Everything that a template can know. It reaches nothing else. */
export interface World extends Pick<Surroundings, 'param' | 'apiUrl'> {
  /** What the names stand for: `node`, `profile`. */
  readonly names: Readonly<Record<string, Json>>
  /** Whoever reads what is there, reads a secret: `node.values`. */
  readonly secretNames: readonly string[]
  /** The text of another template; undefined where there is none of that name. */
  source(name: string): string | undefined
  /** Undefined where it has not been made yet. */
  token(wish: TokenWish): string | undefined
}

export interface Rendering {
  readonly text: string
  /** A token is in it, or something else that nobody may read by the way. */
  readonly isSecret: boolean
  /** Tokens that have to be made first; until then the text is not whole. */
  readonly wants: readonly TokenWish[]
}

/**
 * Renders one template. Pure: the same world makes the same text. Nothing in a template can call code, read anything but
 * own members of what the world holds, or go on for ever. Throws `TEMPLATE_FAILED` with template, line and column.
 */
export function renderTemplate(template: string, quoting: Quoting, world: World): Rendering {
  const run = new Run(world, quoting)
  run.include(template, { template, line: 1, column: 1 })
  return run.result()
}

type Scope = Readonly<Record<string, Json>>

class Run implements Surroundings {
  readonly #world: World
  readonly #parsed = new Map<string, readonly Piece[]>()
  readonly #steps = new Budget(TEMPLATE_LIMITS.steps)
  readonly #wants = new Map<string, TokenWish>()
  readonly #expanding: string[] = []
  readonly #tokens = new Set<string>()
  #writer: Writer
  #isSecret = false
  #worked = 0
  #depth = 0

  constructor(world: World, quoting: Quoting) {
    this.#world = world
    this.#writer = writerFor(quoting)
  }

  result(): Rendering {
    const wants = [...this.#wants.values()]
    return { text: this.#writer.text, isSecret: this.#isSecret, wants }
  }

  get apiUrl(): string | undefined {
    return this.#world.apiUrl
  }

  param(key: string): Json | undefined {
    return this.#world.param(key)
  }

  token(wish: TokenWish, at: At): string {
    // What a param holds comes from whoever may write the profile, not from whoever wrote the template.
    if (this.#expanding.length > 0) throw templateError(at, 'the value of a param can make no token')
    const id = wishId(wish)
    if (this.#tokens.add(id).size > TEMPLATE_LIMITS.tokens)
      throw templateError(at, `a template has at most ${TEMPLATE_LIMITS.tokens} tokens`)
    this.#isSecret = true
    const token = this.#world.token(wish)
    if (token === undefined) this.#wants.set(id, wish)
    return token ?? ''
  }

  expand(key: string, value: Json, at: At): Json {
    if (this.#expanding.includes(key))
      throw templateError(at, `the params ${[...this.#expanding, key].join(' → ')} lead round in a circle`)
    this.#expanding.push(key)
    try {
      return this.#expandAll(key, value, at)
    } finally {
      this.#expanding.pop()
    }
  }

  include(name: string, at: At): void {
    this.#deeper(at, () => this.#pieces(this.#piecesOf(name, at), {}))
  }

  #expandAll(key: string, value: Json, at: At): Json {
    this.#step(at)
    if (typeof value === 'string') return this.#expandText(key, value, at)
    return this.#deeper(at, () => {
      if (isJsonArray(value)) return value.map((item) => this.#expandAll(key, item, at))
      if (!isJsonObject(value)) return value
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, this.#expandAll(key, item, at)]))
    })
  }

  /** It becomes a value, which is quoted where it is written. */
  #expandText(key: string, text: string, at: At): string {
    if (!text.includes('{{')) return text
    this.#work(text.length, at)
    const outer = this.#writer
    this.#writer = writerFor('raw')
    try {
      this.#pieces(parseTemplate(`param ${key}`, text), {})
      return this.#writer.text
    } finally {
      this.#writer = outer
    }
  }

  #piecesOf(name: string, at: At): readonly Piece[] {
    if (this.#expanding.length > 0) throw templateError(at, 'the value of a param can include no template')
    const known = this.#parsed.get(name)
    if (known !== undefined) return known
    const text = this.#world.source(name)
    if (text === undefined)
      throw templateError(
        at,
        `there is no template "${name}"`,
        'Its path starts at the folder of the templates, without ".." in it.',
      )
    const pieces = parseTemplate(name, text)
    this.#parsed.set(name, pieces)
    return pieces
  }

  #pieces(pieces: readonly Piece[], scope: Scope): void {
    for (const piece of pieces) this.#piece(piece, scope)
  }

  #piece(piece: Piece, scope: Scope): void {
    if (piece.kind === 'text') {
      this.#writer.literal(piece.text)
      this.#written(piece.at)
      return
    }
    const { at } = piece
    this.#step(at)
    if (piece.kind === 'value') this.#write(this.#evaluate(piece.value, scope), at)
    else if (piece.kind === 'include') this.#deeper(at, () => this.#pieces(this.#piecesOf(piece.name, at), scope))
    else if (piece.kind === 'if') {
      const found = piece.branches.find(({ test }) => isTrue(this.#evaluate(test, scope)))
      this.#pieces(found?.body ?? piece.otherwise, scope)
    } else this.#loop(piece, scope)
  }

  #loop({ key, item, over, body, otherwise, at }: Extract<Piece, { kind: 'for' }>, scope: Scope): void {
    const data = dataOf(this.#evaluate(over, scope))
    if (!isJsonArray(data) && !isJsonObject(data)) throw templateError(at, 'a loop goes over a list or an object')
    const entries = isJsonArray(data) ? data.map((one, index) => [index, one] as const) : Object.entries(data)
    if (entries.length === 0) this.#pieces(otherwise, scope)
    for (const [name, value] of entries) {
      this.#step(at)
      this.#pieces(body, { ...scope, [item]: value, ...(key !== undefined && { [key]: name }) })
    }
  }

  #write(value: Value, at: At): void {
    this.#writer.value(present(value), at)
    this.#written(at)
  }

  #written(at: At): void {
    if (this.#writer.text.length > TEMPLATE_LIMITS.output)
      throw templateError(at, `more than ${TEMPLATE_LIMITS.output} characters would be rendered`)
  }

  #evaluate(expression: Expression, scope: Scope): Value {
    const { at } = expression
    if (expression.kind === 'literal') return expression.value
    if (expression.kind === 'name') return this.#name(expression.path, scope, at)
    if (expression.kind === 'not') return !isTrue(this.#evaluate(expression.value, scope))
    if (expression.kind === 'compare') {
      const [left, right] = [expression.left, expression.right].map((one) => dataOf(this.#evaluate(one, scope)))
      return this.#spending(at, (budget) => isSame(left ?? null, right ?? null, budget)) === expression.isEqual
    }
    this.#step(at)
    const values = expression.args.map((one) => this.#evaluate(one, scope))
    const result = FUNCTIONS[expression.name]?.run(values, this, at) ?? null
    for (const one of [...values, result]) if (typeof one === 'string') this.#work(one.length, at)
    return result
  }

  #name([first, ...rest]: readonly [string, ...string[]], scope: Scope, at: At): Value {
    const { names, secretNames } = this.#world
    const path = [first, ...rest].join('.')
    if (!Object.hasOwn(scope, first)) {
      if (!Object.hasOwn(names, first)) {
        const known = [...Object.keys(names), ...Object.keys(scope)].join(', ')
        throw templateError(at, `"${first}" stands for nothing here`, `Names are: ${known}. A text has quotes.`)
      }
      if (secretNames.some((secret) => `${path}.`.startsWith(`${secret}.`) || secret.startsWith(`${path}.`)))
        this.#isSecret = true
    }
    let value: Value = (Object.hasOwn(scope, first) ? scope[first] : names[first]) ?? null
    for (const name of rest) {
      value = memberOf(value, name, at)
      if (value instanceof Missing) return new Missing(at, `${path} has no value`)
    }
    return value
  }

  #step(at: At): void {
    this.#spending(at, (budget) => budget.spend(1))
  }

  #spending<T>(at: At, work: (budget: Budget) => T): T {
    try {
      return work(this.#steps)
    } catch (error) {
      if (!(error instanceof Spent)) throw error
      throw templateError(at, `the template does more than ${TEMPLATE_LIMITS.steps} steps`)
    }
  }

  #work(characters: number, at: At): void {
    this.#worked += characters
    if (this.#worked > TEMPLATE_LIMITS.work)
      throw templateError(at, `more than ${TEMPLATE_LIMITS.work} characters would be worked on`)
  }

  #deeper<T>(at: At, work: () => T): T {
    this.#depth += 1
    if (this.#depth > TEMPLATE_LIMITS.depth)
      throw templateError(at, `templates stand more than ${TEMPLATE_LIMITS.depth} deep in each other`)
    try {
      return work()
    } finally {
      this.#depth -= 1
    }
  }
}
