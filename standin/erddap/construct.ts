import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatasetError, type Definition, isFileBased } from './definition.ts'
import type { World } from './world.ts'

const DEFERRED =
  'ERDDAP is deferring loading this dataset until after loading other datasets because ERDDAP was just restarted and '
/** ERDDAP looks at each matching file; here one is enough, within this many. */
const FILES_MAX = 10_000

/**
 * Makes a dataset ready to be served, children first. Throws `DatasetError` where ERDDAP's constructors throw: no data
 * file that matches, or no stored index during the first major load. File-based datasets get an index, like the real ones.
 */
export function construct(world: World, definition: Definition): void {
  world.log(`\n*** constructing ${definition.reader} ${definition.id}`)
  definition.children.forEach((child, index) => {
    try {
      construct(world, child)
    } catch (error) {
      if (definition.type !== 'EDDGridSideBySide' || index === 0) throw error
      world.log(String(error))
    }
  })
  if (isFileBased(definition)) constructFromFiles(world, definition)
  world.log(`*** ${definition.reader} ${definition.id} constructor finished. TIME=${world.options.loadMs}ms`)
}

function constructFromFiles(world: World, definition: Definition): void {
  const index = join(world.indexFolder(definition.id), 'fileTable.nc')
  // EDDTableFromFileNames keeps no index and so is never put off.
  const indexed = definition.reader !== 'EDDTableFromFileNames'
  if (indexed && world.initial) {
    // A quick restart trusts the index and does not look at the files.
    if (existsSync(index)) return
    requestReload(world, definition.id)
    throw new DatasetError(`${DEFERRED}fileTable.nRows=0.`)
  }
  if (!world.options.assumeFiles) requireFiles(definition)
  if (!indexed) return
  mkdirSync(world.indexFolder(definition.id), { recursive: true })
  writeFileSync(index, 'index of the ERDDAP stand-in\n')
  writeFileSync(join(world.indexFolder(definition.id), 'dirTable.nc'), 'index of the ERDDAP stand-in\n')
}

/** EDD.requestReloadASAP: a flag, which the poll after the running load finds. */
function requestReload(world: World, id: string): void {
  world.log(`EDD.requestReloadASAP ${id}`)
  writeFileSync(join(world.flagFolder('flag'), id), id)
}

function requireFiles({ values }: Definition): void {
  const fileDir = values.get('fileDir') ?? ''
  if (/^(?:https?:|s3:|\*\*\*)/.test(fileDir) || values.has('cacheFromUrl')) return
  const regex = values.get('fileNameRegex') ?? '.*'
  const recursive = values.get('recursive')?.toLowerCase() === 'true'
  if (hasFile(fileDir, javaRegex(regex), recursive)) return
  const pathRegex = values.get('pathRegex') ?? '.*'
  throw new DatasetError(
    `0 files found in ${fileDir}\nregex=${regex} recursive=${recursive} pathRegex=${pathRegex} time=0ms`,
  )
}

function hasFile(folder: string, name: RegExp, recursive: boolean): boolean {
  const pending = [folder]
  let seen = 0
  for (let next = pending.pop(); next !== undefined && seen < FILES_MAX; next = pending.pop()) {
    if (!existsSync(next) || !statSync(next).isDirectory()) continue
    for (const entry of readdirSync(next, { withFileTypes: true })) {
      seen += 1
      if (entry.isDirectory() && recursive) pending.push(join(next, entry.name))
      else if (!entry.isDirectory() && name.test(entry.name)) return true
    }
  }
  return false
}

/** A Java regular expression that must match the whole name. */
function javaRegex(source: string): RegExp {
  const caseless = source.startsWith('(?i)')
  try {
    return new RegExp(`^(?:${caseless ? source.slice(4) : source})$`, caseless ? 'i' : '')
  } catch (error) {
    throw new DatasetError(`java.util.regex.PatternSyntaxException: ${String(error)}`)
  }
}
