//! Where the files of an export are: an object store, or a local folder.
