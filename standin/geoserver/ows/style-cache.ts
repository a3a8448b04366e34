import type { DataDirectory } from '../files.ts'

/** What styles and graphics look like to the renderer, which is not always what lies on disk. */
export class StyleCache {
  readonly #files: DataDirectory
  readonly #styleMs: number
  readonly #bodies = new Map<string, { readonly atMs: number; readonly body: Buffer | undefined }>()
  readonly #graphics = new Map<string, Buffer | undefined>()

  constructor(files: DataDirectory, styleMs: number) {
    this.#files = files
    this.#styleMs = styleMs
  }

  /** A style's body: believed for a while, then looked at again. */
  body(file: string): Buffer | undefined {
    const now = performance.now()
    const known = this.#bodies.get(file)
    if (known !== undefined && now - known.atMs <= this.#styleMs) return known.body
    const body = this.#files.read(file)
    this.#bodies.set(file, { atMs: now, body })
    return body
  }

  /** A graphic: once read, never looked at again until a reset. One that was missing is looked for each time. */
  graphic(file: string): Buffer | undefined {
    const known = this.#graphics.get(file)
    if (known !== undefined) return known
    const read = this.#files.read(file)
    if (read !== undefined) this.#graphics.set(file, read)
    return read
  }

  /** What REST has just written is taken at once. */
  forgetBody(file: string): void {
    this.#bodies.delete(file)
  }

  reset(): void {
    this.#bodies.clear()
    this.#graphics.clear()
  }
}
