package org.apache.http.entity.mime;

/** A class that the generated client imports for uploads, of which there are none. */
public final class MultipartEntityBuilder {
    private MultipartEntityBuilder() {}
}
