import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { refuseNested } from './sync-apart.ts'

it('refuses a copy in its own source, the source in its copy, and either through a link', async () => {
  const folder = temporaryFolder()
  const [from, beside] = [join(folder, 'from'), join(folder, 'from2')]
  mkdirSync(join(from, 'deep'), { recursive: true })
  symlinkSync(from, join(folder, 'link'))
  await expect(refuseNested(from, from)).rejects.toMatchObject({ code: 'USAGE' })
  await expect(refuseNested(from, join(from, 'deep/not/yet'))).rejects.toMatchObject({ code: 'USAGE' })
  await expect(refuseNested(join(from, 'deep'), from)).rejects.toMatchObject({ code: 'USAGE' })
  await expect(refuseNested(from, join(folder, 'link/deep/new'))).rejects.toMatchObject({ code: 'USAGE' })
  await refuseNested(from, beside)
})
