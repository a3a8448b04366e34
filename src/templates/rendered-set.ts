import { statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { FlotillaError } from '../core/errors.ts'
import type { Quoting } from '../core/templates/writer.ts'
import type { RenderedSet } from './keeper.ts'
import { type Owner, ownerOf } from './owner.ts'
import { type Facts, RenderedFile } from './rendered-file.ts'
import { TemplateFolder } from './source.ts'
import type { Keep, TokenBook } from './tokens.ts'

export interface SetSettings {
  readonly name: string
  /** A template, or a folder of them; absolute. */
  readonly from: string
  /** The file, or the folder for those of a folder; absolute. */
  readonly to: string
  readonly mode: number
  /** `USER` or `USER:GROUP`. */
  readonly owner?: string | undefined
  readonly check?: readonly string[] | undefined
  readonly after?: readonly string[] | undefined
  readonly quoting?: Quoting | undefined
}

export interface SetDeps {
  readonly tokens: TokenBook
  readonly keep: Keep
  readonly facts: () => Facts | undefined
}

/** The files of one entry of the configuration. A folder is listed each time: templates come and go. */
export function renderedSet(settings: SetSettings, { facts, ...deps }: SetDeps): RenderedSet {
  const made = new Map<string, RenderedFile>()
  let owner: Owner | undefined
  const fileOf = (folder: TemplateFolder, template: string, to: string): RenderedFile => {
    const { mode, check, after, quoting } = settings
    const known = made.get(template)
    if (known !== undefined) return known
    const file = new RenderedFile({ folder, template, place: { to, mode, owner, check, after }, quoting, ...deps })
    made.set(template, file)
    return file
  }
  return {
    name: settings.from,
    facts,
    files() {
      const { from, to } = settings
      if (settings.owner !== undefined) owner ??= ownerOf(settings.owner)
      const stat = statSync(from, { throwIfNoEntry: false })
      if (stat === undefined) throw new FlotillaError('TEMPLATE_FAILED', `there is no template ${from}`)
      if (!stat.isDirectory()) return [fileOf(new TemplateFolder(dirname(from)), basename(from), to)]
      const folder = new TemplateFolder(from)
      return folder.list().map(([template, path]) => fileOf(folder, template, join(to, path)))
    },
  }
}
