module spike.invalid/regexp

go 1.26
