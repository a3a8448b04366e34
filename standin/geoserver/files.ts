import { randomUUID } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

/** The data directory on disk; paths are relative, with `/`. */
export class DataDirectory {
  readonly #root: string

  constructor(root: string) {
    this.#root = root
  }

  /** Absolute path. @throws Error when the path leaves the directory. */
  at(path: string): string {
    const parts = path.split('/').filter((part) => part !== '' && part !== '.')
    if (parts.includes('..') || path.includes('\0')) throw new Error(`Contains invalid '..' path: ${path}`)
    return join(this.#root, ...parts)
  }

  kind(path: string): 'file' | 'directory' | undefined {
    const stat = statSync(this.at(path), { throwIfNoEntry: false })
    if (stat === undefined) return undefined
    return stat.isDirectory() ? 'directory' : 'file'
  }

  modifiedAtMs(path: string): number {
    return Math.floor(statSync(this.at(path), { throwIfNoEntry: false })?.mtimeMs ?? 0)
  }

  read(path: string): Buffer | undefined {
    return this.kind(path) === 'file' ? readFileSync(this.at(path)) : undefined
  }

  text(path: string): string | undefined {
    return this.read(path)?.toString('utf8')
  }

  /** Names in a folder, sorted; none when there is no such folder. */
  list(path: string): readonly string[] {
    return this.kind(path) === 'directory' ? readdirSync(this.at(path)).toSorted() : []
  }

  /** As GeoServer's `Resource.out()` does it: an empty target first, then a temporary file beside it, then rename. */
  write(path: string, content: string | Uint8Array): void {
    const target = this.at(path)
    mkdirSync(dirname(target), { recursive: true })
    if (!existsSync(target)) writeFileSync(target, '')
    const temporary = `${target}.${randomUUID()}.tmp`
    writeFileSync(temporary, content)
    renameSync(temporary, target)
  }

  move(from: string, to: string): void {
    mkdirSync(dirname(this.at(to)), { recursive: true })
    renameSync(this.at(from), this.at(to))
  }

  copy(from: string, to: string): void {
    mkdirSync(dirname(this.at(to)), { recursive: true })
    copyFileSync(this.at(from), this.at(to))
  }

  makeFolder(path: string): void {
    mkdirSync(this.at(path), { recursive: true })
  }

  /** A file, or a folder with all that is in it. */
  remove(path: string): void {
    rmSync(this.at(path), { recursive: true, force: true })
  }
}
