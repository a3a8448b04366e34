import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Ran, run, type Running, STANDIN, start } from './program.ts'

const ROOT = join(import.meta.dirname, '../..')
const EXAMPLE = join(ROOT, 'examples/collection')
const EMPTY = '<?xml version="1.0" encoding="UTF-8" ?>\n<erddapDatasets>\n</erddapDatasets>\n'

/** Servers as processes in one folder: stand-ins of ERDDAP, and whatever of Flotilla is started beside them. */
export class Servers {
  readonly folder: string
  readonly running: Running[] = []
  env: Record<string, string> = {}

  constructor(folder: string) {
    this.folder = folder
  }

  /** One command to its end. */
  flotilla(...argv: readonly string[]): Promise<Ran> {
    return run(argv, { cwd: this.folder, env: this.env })
  }

  launch(argv: readonly string[], script?: string): Running {
    const program = start(argv, { cwd: this.folder, env: this.env }, script)
    this.running.push(program)
    return program
  }

  /** The folders of an ERDDAP, and one that runs in them; answers its address. */
  async addErddap(name: string): Promise<{ content: string; bpd: string; state: string; url: string }> {
    const at = (part: string): string => join(this.folder, name, part)
    for (const part of ['content', 'bpd']) mkdirSync(at(part), { recursive: true })
    writeFileSync(join(at('content'), 'datasets.xml'), EMPTY)
    const argv = ['--content-dir', at('content'), '--big-parent-dir', at('bpd'), '--poll-ms', '300']
    const [url] = await this.launch(argv, STANDIN).line(/^http:\S+$/)
    return { content: at('content'), bpd: at('bpd'), state: at('state'), url }
  }

  /** A copy of the example's fragments, below the folder. */
  copyFragments(name: string): string {
    const to = join(this.folder, name)
    cpSync(join(EXAMPLE, 'datasets.d'), to, { recursive: true })
    return to
  }

  get data(): string {
    return join(EXAMPLE, 'data')
  }

  datasetsXml(name: string): string {
    return readFileSync(join(this.folder, name, 'content/datasets.xml'), 'utf8')
  }

  async stop(): Promise<void> {
    for (const program of this.running.toReversed()) await program.stop()
  }
}
