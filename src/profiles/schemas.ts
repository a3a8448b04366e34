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
  #ajv: Promise<Ajv2020> | undefined

  /** Rejects with `INVALID_VALUE` where the value does not match, or the schema is none; without a value looks at that alone. */
  async check(param: string, schema: Json, value?: Json): Promise<void> {
    const validate = await this.#compile(param, schema)
    if (value === undefined || withinTime(param, () => validate(value))) return
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
    const compiled = withinTime(param, () => compile(ajv, param, schema))
    if (this.#compiled.size >= CACHED) this.#compiled.clear()
    this.#compiled.set(text, compiled)
    return compiled
  }
}

async function load(): Promise<Ajv2020> {
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  return new Ajv2020({
    strict: true,
    strictTypes: false,
    strictRequired: false,
    validateFormats: false,
    addUsedSchema: false,
  })
}

function compile(ajv: Ajv2020, param: string, schema: object | boolean): ValidateFunction {
  try {
    return ajv.compile(schema)
  } catch (error) {
    throw invalid(`the schema of ${param} is no JSON Schema: ${messageOf(error).slice(0, 300)}`)
  } finally {
    ajv.removeSchema(schema)
  }
}

const box: { work: () => unknown } = { work: () => undefined }
const context = createContext(box)
const script = new Script('work()')

/** Whatever runs below is ended when the time is over, a regular expression too. */
function withinTime<T>(param: string, work: () => T): T {
  box.work = work
  try {
    return script.runInContext(context, { timeout: TIME_MS }) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
    throw invalid(`${param}: to match the value against its schema takes longer than ${TIME_MS} ms`)
  }
}
