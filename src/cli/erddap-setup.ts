import { readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { FlotillaError } from '../core/errors.ts'

export interface ErddapFolders {
  readonly contentDirectory: string
  readonly bigParentDirectory: string
}

/** The two folders of an ERDDAP, as absolute paths; the second from its own setup.xml where it was not given. */
export async function erddapFolders(
  given: { readonly contentDir: string; readonly bigParentDir: string | undefined },
  cwd: string,
): Promise<ErddapFolders> {
  const contentDirectory = resolve(cwd, given.contentDir)
  await mustBeFolder(contentDirectory, '--content-dir')
  const named = given.bigParentDir ?? (await fromSetup(contentDirectory))
  if (named === undefined) {
    throw new FlotillaError('USAGE', '--big-parent-dir is missing', {
      hint: 'It is the bigParentDirectory of ERDDAP’s setup.xml.',
    })
  }
  const bigParentDirectory = resolve(cwd, named)
  await mustBeFolder(bigParentDirectory, '--big-parent-dir')
  return { contentDirectory, bigParentDirectory }
}

async function fromSetup(contentDirectory: string): Promise<string | undefined> {
  const text = await readFile(join(contentDirectory, 'setup.xml'), 'utf8').catch(() => '')
  const uncommented = text.replaceAll(/<!--.*?-->/gs, '')
  return /<bigParentDirectory>\s*([^<\s][^<]*?)\s*<\/bigParentDirectory>/.exec(uncommented)?.[1]
}

async function mustBeFolder(path: string, option: string): Promise<void> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (!isFolder) throw new FlotillaError('USAGE', `${option}: there is no folder ${path}`)
}
