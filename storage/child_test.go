package storage_test

func runChild(role string) {}
