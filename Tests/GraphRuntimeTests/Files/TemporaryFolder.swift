import Glibc
import GraphIR

/// Calls `body` with the path of an empty folder that is removed afterwards with the files in it.
func withTemporaryFolder<R>(_ body: (String) throws -> R) throws -> R {
  var template = Array("/tmp/sd-test-XXXXXX\0".utf8CString)
  guard let made = mkdtemp(&template) else { throw SDError(.resources, "mkdtemp failed") }
  let folder = String(cString: made)
  defer {
    for name in entries(of: folder) { unlink("\(folder)/\(name)") }
    rmdir(folder)
  }
  return try body(folder)
}

/// The names in a folder, sorted.
func entries(of folder: String) -> [String] {
  guard let stream = opendir(folder) else { return [] }
  defer { closedir(stream) }
  var names: [String] = []
  while let entry = readdir(stream) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names.sorted()
}

/// Writes a file, plainly.
func put(_ bytes: some Sequence<UInt8>, _ path: String) {
  guard let stream = fopen(path, "w") else { return }
  let bytes = Array(bytes)
  fwrite(bytes, 1, bytes.count, stream)
  fclose(stream)
}

/// The bytes of a file, nil if it cannot be opened.
func get(_ path: String) -> [UInt8]? {
  guard let stream = fopen(path, "r") else { return nil }
  defer { fclose(stream) }
  var bytes: [UInt8] = []
  while case let byte = getc(stream), byte != EOF { bytes.append(UInt8(byte)) }
  return bytes
}

/// The error that `body` throws, nil if it returns.
func failure<R>(_ body: () throws -> R) -> SDError? {
  do {
    _ = try body()
    return nil
  } catch {
    return error as? SDError
  }
}
