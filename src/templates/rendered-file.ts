import { isError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import type { TokenWish } from '../core/templates/functions.ts'
import { renderTemplate, type Rendering, type World } from '../core/templates/render.ts'
import { type Quoting, quotingOf } from '../core/templates/writer.ts'
import { sha256 } from '../lib/hash.ts'
import { isInPlace, type Place, put, runAfter } from './place.ts'
import type { TemplateFolder } from './source.ts'
import type { Keep, TokenBook } from './tokens.ts'

export interface RenderedFileOptions {
  readonly folder: TemplateFolder
  /** Path of the template in its folder. */
  readonly template: string
  readonly place: Place
  /** As the names and the first line tell, where it is not told. */
  readonly quoting?: Quoting | undefined
  readonly tokens: TokenBook
  readonly keep: Keep
}

/** What the world is at one moment, but for the templates and tokens. */
export type Facts = Omit<World, 'source' | 'token'>

/**
 * Renders until no token is missing. Rejects with `TEMPLATE_FAILED`, or as making a token does.
 * `wishes`: those of the time before, which may be due by now; answers those of this time.
 */
export async function renderWith(
  facts: Facts,
  {
    folder,
    template,
    to,
    quoting,
    tokens,
    wishes,
    signal,
  }: Pick<RenderedFileOptions, 'folder' | 'template' | 'quoting' | 'tokens'> &
    Op & { readonly to: string; readonly wishes: readonly TokenWish[] },
): Promise<Rendering & { readonly wishes: readonly TokenWish[] }> {
  await tokens.ready(wishes, { signal })
  // One rendering is of templates as they were at one time, however often it begins anew.
  const texts = new Map<string, string | undefined>()
  const source = (name: string): string | undefined => {
    if (!texts.has(name)) texts.set(name, folder.read(name))
    return texts.get(name)
  }
  const how = quoting ?? quotingOf([template, to], source(template) ?? '')
  for (;;) {
    const asked: TokenWish[] = []
    const world: World = {
      ...facts,
      source,
      token: (wish) => {
        asked.push(wish)
        return tokens.text(wish)
      },
    }
    const rendering = renderTemplate(template, how, world)
    if (rendering.wants.length === 0) return { ...rendering, wishes: asked }
    await tokens.ready(rendering.wants, { signal })
  }
}

/**
 * One file that a template makes. A crash at any point is followed by the same end: the file is compared anew each time, and what
 * has to run after a change is noted before the file takes its place.
 */
export class RenderedFile {
  readonly #options: RenderedFileOptions
  /** What was refused last, so that its check does not run again and again. */
  #refused: { readonly digest: string; readonly error: unknown } | undefined
  #wishes: readonly TokenWish[] = []

  constructor(options: RenderedFileOptions) {
    this.#options = options
  }

  get to(): string {
    return this.#options.place.to
  }

  get template(): string {
    return this.#options.template
  }

  get wishes(): readonly TokenWish[] {
    return this.#wishes
  }

  /** Forgets what was refused: for a person who has changed what the check looks at. */
  forgive(): void {
    this.#refused = undefined
  }

  /** Brings the file in step with the facts. Rejects with why it could not; the last good file is then as it was. */
  async keep(facts: Facts, op: Op): Promise<'changed' | 'unchanged'> {
    const { place } = this.#options
    const { text, isSecret, wishes } = await renderWith(facts, {
      ...this.#options,
      ...op,
      to: this.to,
      wishes: this.#wishes,
    })
    this.#wishes = wishes
    const digest = sha256(Buffer.from(text))
    const how = isInPlace({ text, isSecret }, place) ? 'unchanged' : 'changed'
    if (how === 'changed') await this.#put({ text, isSecret }, digest, op)
    this.#refused = undefined
    await this.#after(isSecret, digest, op)
    return how
  }

  async #put(text: { readonly text: string; readonly isSecret: boolean }, digest: string, op: Op): Promise<void> {
    const { place } = this.#options
    if (this.#refused?.digest === digest) throw this.#refused.error
    try {
      await put(text, place, async () => await this.#note(`due ${digest}`), op)
    } catch (error) {
      if (isError(error, 'TEMPLATE_FAILED')) this.#refused = { digest, error }
      throw error
    }
  }

  /** Also where an earlier process was ended, or failed, between the change and this. */
  async #after(isSecret: boolean, digest: string, op: Op): Promise<void> {
    const { place, keep } = this.#options
    if (place.after === undefined) return
    if ((await keep.load(this.#noteName())) !== `due ${digest}`) return
    await runAfter({ isSecret }, place, op)
    await this.#note('done')
  }

  async #note(text: string): Promise<void> {
    if (this.#options.place.after !== undefined) await this.#options.keep.save(this.#noteName(), text)
  }

  #noteName(): string {
    return `template-after-${sha256(Buffer.from(this.to)).slice(0, 32)}`
  }
}
