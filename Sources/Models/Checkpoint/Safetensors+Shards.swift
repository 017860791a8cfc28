public import GraphIR
import GraphRuntime

extension Safetensors {
  /// Opens the files that an index (`model.safetensors.index.json`) joins: its `weight_map` says for each tensor in
  /// which file beside the index it is. Tensors that the map does not list are left out.
  ///
  /// Throws `.invalid` for a damaged index, a file name that leads elsewhere, and a tensor that its file lacks.
  public init(shardedIndex path: String, mapped: Bool = true) throws(SDError) {
    guard let members = try JSON(file: path).object, let map = members["weight_map"]?.object else {
      throw SDError(.invalid, "\(path): \"weight_map\" must be an object that gives a file for each tensor")
    }
    let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[...$0] } ?? ""
    var shards: [String: Header] = [:]
    var tensors: [String: Entry] = [:]
    var metadata: [String: String] = [:]
    for (name, value) in map.members {
      guard let file = value.string else {
        throw SDError(.invalid, "\(path): the file of tensor \(JSON.quoted(name)) must be a string")
      }
      if shards[file] == nil {
        let header = try Self.shard(file, folder, path, mapped)
        metadata.merge(header.metadata) { first, _ in first }
        shards[file] = header
      }
      guard let entry = shards[file]?.tensors[name] else {
        throw SDError(
          .invalid,
          "\(path): tensor \(JSON.quoted(name)) should be in \(JSON.quoted(file)), that file lacks it")
      }
      tensors[name] = entry
    }
    self.init(path: path, tensors: tensors, metadata: metadata)
  }

  private static func shard(
    _ file: String, _ folder: Substring, _ index: String, _ mapped: Bool
  ) throws(SDError) -> Header {
    guard file != "", file != ".", file != "..", !file.utf8.contains(UInt8(ascii: "/")) else {
      throw SDError(
        .invalid,
        "\(index): refusing the file \(JSON.quoted(file)): it must be a name beside the index, no path")
    }
    do {
      return try Header(MappedFile(folder + file, mapped: mapped))
    } catch {
      throw SDError(error.code, error.message, hint: error.hint ?? "The file is named by \(index).")
    }
  }
}
