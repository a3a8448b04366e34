import { createContext, Script } from 'node:vm'
import type { Ajv2020, ValidateFunction } from 'ajv/dist/2020.js'
import { FlotillaError, messageOf } from '../core/errors.ts'
import type { Json } from '../core/json-patch/json.ts'
import { invalid } from '../core/profile/profile.ts'

const CACHED = 500
/** Patterns and `uniqueItems` can take for ever: whoever writes a schema need not know, so time is limited. */
const TIME_MS = 500

/** Matches values against JSON Schemas (2020-12), which are compiled once. What does it is loaded when first needed. */
export class Schemas {
  readonly #compiled = new Map<string, ValidateFunction>()
  readonly #timeMs: number
  #ajv: Promise<Ajv2020> | undefined

  constructor(timeMs = TIME_MS) {
    this.#timeMs = timeMs
  }

  /** Rejects with `INVALID_VALUE` where the value does not match, or the schema is none; without a value looks at that alone. */
  async check(param: string, schema: Json, value?: Json): Promise<void> {
    const validate = await this.#compile(param, schema)
    if (value === undefined || this.#withinTime(param, () => validate(value))) return
    const [error] = validate.errors ?? []
    const where = error?.instancePath === undefined || error.instancePath === '' ? '' : ` at ${error.instancePath}`
    throw new FlotillaError('INVALID_VALUE', `${param}: the value${where} ${error?.message ?? 'does not match'}`, {
      hint: `\`flotilla param show ${JSON.stringify(param)}\` shows the schema.`,
    })
  }

  async #compile(param: string, schema: Json): Promise<ValidateFunction> {
    const text = JSON.stringify(schema)
    const known = this.#compiled.get(text)
    if (known !== undefined) return known
    if (typeof schema !== 'boolean' && (typeof schema !== 'object' || schema === null || Array.isArray(schema))) {
      throw invalid(`the schema of ${param} is no JSON Schema: it is an object, true or false`)
    }
    const ajv = await (this.#ajv ??= load())
    const compiled = this.#withinTime(param, () => compile(ajv, param, schema))
    if (this.#compiled.size >= CACHED) this.#compiled.clear()
    this.#compiled.set(text, compiled)
    return compiled
  }

  #withinTime<T>(param: string, work: () => T): T {
    try {
      return withinTime(work, this.#timeMs)
    } catch (error) {
      if (error instanceof RangeError) throw invalid(`the schema of ${param} leads back to itself without an end`)
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
      // It was stopped anywhere: what it holds then may be half made.
      this.#ajv = undefined
      throw invalid(`${param}: to match the value against its schema takes longer than ${this.#timeMs} ms`)
    }
  }
}

async function load(): Promise<Ajv2020> {
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  const ajv = new Ajv2020({
    strict: true,
    strictTypes: false,
    strictRequired: false,
    validateFormats: false,
    addUsedSchema: false,
    logger: false,
  })
  // What schemas themselves are matched against is compiled first, outside of the time of any of them.
  ajv.compile({})
  return ajv
}

function compile(ajv: Ajv2020, param: string, given: object | boolean): ValidateFunction {
  // Without a name, `#` refers to nothing where schemas are not kept.
  const schema = typeof given === 'boolean' ? given : { $id: 'schema:', ...given }
  try {
    return ajv.compile(schema)
  } catch (error) {
    if (error instanceof RangeError) throw error
    throw invalid(`the schema of ${param} is no JSON Schema: ${messageOf(error).slice(0, 300)}`)
  } finally {
    ajv.removeSchema(schema)
  }
}

const box: { work: () => unknown } = { work: () => undefined }
const context = createContext(box)
const script = new Script('work()')

/** Whatever runs below is ended when the time is over, a regular expression too. */
function withinTime<T>(work: () => T, timeout: number): T {
  box.work = work
  return script.runInContext(context, { timeout }) as T
}
